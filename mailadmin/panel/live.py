"""What happens, told to open pages as it happens (server-sent events).

One `Broadcaster` a panel process: its thread asks the database whether anything was committed (SQLite's
``PRAGMA data_version``, microseconds a call; on PostgreSQL the three newest ids), reads what is new, and hands it to
every `Subscription`. The thread lives as long as somebody watches.

A stream holds one of gunicorn's threads, so there are never more than `LIMIT`; whoever comes later gets 503 and asks
every few seconds instead. A stream ends when its reader is gone (looked for each second, not at the next write that
fails), when the worker is told to stop, and after `LONGEST`: then the browser connects again, with the id of the last
row it saw, and its session is checked anew.
"""

from __future__ import annotations

import logging
import queue
import select
import socket
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from typing import Final

from django.db import Error, connection, connections

from mailadmin.panel.events import Event, Tail, latest

log = logging.getLogger(__name__)

INTERVAL: Final = 0.25  # seconds between two looks at the database
LIMIT: Final = 20  # streams a process
HEARTBEAT: Final = 25.0  # seconds without a row, after which a comment keeps proxies from closing
LONGEST: Final = 600.0  # seconds that a stream lives
BACKLOG: Final = 200  # events that a slow reader may be behind
BREATH: Final = 1.0  # seconds between two looks at whether the reader is still there


class Full(Exception):  # noqa: N818  # named as queue.Full is
    """There are `LIMIT` streams already, or the process is about to end."""


class Subscription:
    """One reader's queue of events."""

    def __init__(self, leave: Callable[[Subscription], None]) -> None:
        self._events: queue.Queue[Event] = queue.Queue(BACKLOG)
        self._leave = leave
        self.ended = False

    def put(self, event: Event) -> None:
        """Hand an event over; a reader who is too far behind is cut off and comes back by `Last-Event-ID`."""
        try:
            self._events.put_nowait(event)
        except queue.Full:
            self.ended = True

    def get(self, timeout: float) -> Event | None:
        """Return the next event, or None when none came for `timeout` seconds."""
        with suppress(queue.Empty):
            return self._events.get(timeout=timeout)
        return None

    def close(self) -> None:
        """Give the place free."""
        self.ended = True
        self._leave(self)


class Broadcaster:
    """Watches the database while somebody is subscribed."""

    def __init__(self, *, interval: float = INTERVAL, limit: int = LIMIT) -> None:
        self._interval = interval
        self._limit = limit
        self._lock = threading.Lock()
        self._subscriptions: set[Subscription] = set()
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()

    def __len__(self) -> int:
        return len(self._subscriptions)

    def subscribe(self) -> Subscription:
        """Return a new place among the readers.

        Raises:
            Full: all places are taken.
        """
        with self._lock:
            if self._stopping.is_set() or len(self._subscriptions) >= self._limit:
                raise Full
            if self._thread is None:
                # Read here, not in the thread: what commits from now on belongs to this reader.
                tail = Tail(latest())
                self._thread = threading.Thread(target=self._watch, args=(tail,), name="live", daemon=True)
                self._thread.start()
            subscription = Subscription(self._leave)
            self._subscriptions.add(subscription)
            return subscription

    def stop(self) -> None:
        """End every stream within `BREATH`, for good; safe to call from a signal handler (takes no lock)."""
        self._stopping.set()
        for subscription in tuple(self._subscriptions):
            subscription.ended = True

    def _leave(self, subscription: Subscription) -> None:
        with self._lock:
            self._subscriptions.discard(subscription)

    def _is_watched(self) -> bool:
        with self._lock:
            if self._subscriptions and not self._stopping.is_set():
                return True
            self._thread = None
            return False

    def _watch(self, tail: Tail) -> None:
        version: object = None
        try:
            while self._is_watched():
                try:
                    current = _data_version()
                    if current is None or current != version:
                        version = current
                        self._spread(tail.read())
                except Error:
                    # The database is down or locked: the readers wait, and the first read after it gives them the rest.
                    log.warning("live view: the database does not answer", exc_info=True)
                    version = None
                    connection.close()
                    time.sleep(BREATH)
                time.sleep(self._interval)
        finally:
            connection.close()

    def _spread(self, events: list[Event]) -> None:
        with self._lock:
            readers = tuple(self._subscriptions)
        for event in events:
            for reader in readers:
                reader.put(event)


def _data_version() -> int | None:
    """Return SQLite's number that moves with each commit of another connection; None where there is none."""
    if connection.vendor != "sqlite":
        return None
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA data_version")
        row = cursor.fetchone()
    return int(row[0])


BROADCASTER: Final = Broadcaster()


def is_gone(client: socket.socket | None) -> bool:
    """Say whether the reader closed its connection.

    A browser sends nothing while it reads a stream, so a readable socket means end of file (or TLS's closing alert).
    """
    if client is None:
        return False
    poll = select.poll()
    try:
        poll.register(client, select.POLLIN | select.POLLHUP | select.POLLERR)
        return bool(poll.poll(0))
    except (OSError, ValueError):
        return True


class Stream:
    """The bytes of one stream, until its reader is gone, it is told to end, or it is `LONGEST` old.

    Args:
        subscription: where new events come from; closed at the end, however that comes.
        backlog: what happened since the reader's last id, oldest first.
        render: an event to its frame, or None for one that this reader does not show.
        client: the connection's socket, or None when the server does not tell.
    """

    def __init__(
        self,
        subscription: Subscription,
        backlog: list[Event],
        render: Callable[[Event], str | None],
        client: socket.socket | None,
    ) -> None:
        self._subscription = subscription
        self._backlog = backlog
        self._render = render
        self._client = client
        self._frames = self._run()

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        return next(self._frames)

    def close(self) -> None:
        """Give the place free; a generator alone would not when nobody ever read from it."""
        self._frames.close()
        self._subscription.close()

    def _run(self) -> Generator[bytes, None, None]:
        _let_go_of_databases()
        yield b"retry: 2000\n\n"
        known = {(event.kind, event.id) for event in self._backlog}
        for event in self._backlog:
            if frame := self._render(event):
                yield frame.encode()
        started = spoke = time.monotonic()
        while not self._subscription.ended and time.monotonic() - started < LONGEST:
            new = self._subscription.get(BREATH)
            if new is not None and (new.kind, new.id) not in known and (frame := self._render(new)):
                yield frame.encode()
                spoke = time.monotonic()
            elif is_gone(self._client):
                return
            elif time.monotonic() - spoke >= HEARTBEAT:
                yield b": still here\n\n"
                spoke = time.monotonic()


def _let_go_of_databases() -> None:
    """Close this thread's connections: a stream lives long and asks the database nothing."""
    for each in connections.all(initialized_only=True):
        if not each.in_atomic_block:
            each.close()
