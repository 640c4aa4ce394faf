"""The writer thread: whoever waits for a commit shares one transaction and one sync with everybody else who does.

Sessions hand over messages and get a Future each. The thread takes what has gathered while the last commit was on its
way to the disk, writes it in one transaction, and tells the loop once for the whole group. A Future is resolved only
after the commit, so a 250 that follows it is a promise that holds.

When the group as a whole is refused (two processes made the same id, an account was removed in between), each message
is tried on its own, so that one does not fail for another. A fault of any other kind fails the group and the thread
goes on with a new connection: nobody waits for a dead writer.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from django.db import IntegrityError, connections

from mailadmin.activity.services import add_sign_ins
from mailadmin.queue.envelopes import NewMessage, SignInEvent
from mailadmin.queue.services import enqueue
from smtpd.storage.errors import DATABASE_ERRORS, UnavailableError, unavailable

log = logging.getLogger("smtpd.writer")

GROUP: Final = 64  # messages in a transaction, at most
EVENTS_KEPT: Final = 20_000  # sign-ins that wait while the database is down; the oldest go first
EVENTS_AT_ONCE: Final = 500
FLUSH_EVERY: Final = 0.25  # seconds between two batches of sign-ins


@dataclass(slots=True)
class _Commit:
    message: NewMessage
    done: asyncio.Future[None]


class Writer:
    """Commits messages in groups, and sign-ins in batches, in a thread of its own."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._jobs: queue.SimpleQueue[_Commit | Callable[[], None] | None] = queue.SimpleQueue()
        self._events: list[SignInEvent] = []
        self._flush: asyncio.TimerHandle | None = None
        self._busy_since: float | None = None
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
        self._thread.start()

    def commit(self, message: NewMessage) -> asyncio.Future[None]:
        """Return a Future that is done when `message` is on disk; it raises UnavailableError when it is not."""
        done: asyncio.Future[None] = self._loop.create_future()
        self._jobs.put(_Commit(message, done))
        return done

    def sign_in(self, event: SignInEvent) -> None:
        """Write `event` with the next batch."""
        self._events.append(event)
        if self._flush is None:
            self._flush = self._loop.call_later(FLUSH_EVERY, self._flush_events)

    def stalled(self, limit: float) -> bool:
        """Say whether the present commit has been on its way for more than `limit` seconds, or the thread is dead."""
        since = self._busy_since
        return not self._thread.is_alive() or (since is not None and time.monotonic() - since > limit)

    def stop(self, wait: float) -> None:
        """Write what has been handed over and end the thread; wait at most `wait` seconds for it."""
        if self._flush is not None:
            self._flush.cancel()
        if self._events:
            self._flush_events()
        self._jobs.put(None)
        self._thread.join(wait)

    # --- in the loop ---

    def _flush_events(self) -> None:
        self._flush = None
        events, self._events = self._events[-EVENTS_KEPT:], []
        self._jobs.put(lambda: self._write_events(events))

    def _resolve(self, group: Sequence[_Commit], errors: Sequence[UnavailableError | None]) -> None:
        for job, error in zip(group, errors, strict=True):
            if job.done.done():
                continue
            if error is None:
                job.done.set_result(None)
            else:
                job.done.set_exception(error)

    def _again(self, events: list[SignInEvent]) -> None:
        """Keep what could not be written, to be written later."""
        self._events[:0] = events
        if self._flush is None:
            self._flush = self._loop.call_later(4 * FLUSH_EVERY, self._flush_events)

    # --- in the thread ---

    def _run(self) -> None:
        while True:
            job = self._jobs.get()
            if job is None:
                break
            self._busy_since = time.monotonic()
            if isinstance(job, _Commit):
                stop = self._commit_group(job)
            else:
                job()
                stop = False
            self._busy_since = None
            if stop:
                break
        connections.close_all()

    def _commit_group(self, first: _Commit) -> bool:
        """Commit `first` and what waits behind it; say whether the order to stop was among it."""
        group, others, stop = [first], [], False
        while len(group) < GROUP:
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                break
            if job is None:
                stop = True
                break
            if isinstance(job, _Commit):
                group.append(job)
            else:
                others.append(job)
        self._tell(group, self._write([job.message for job in group]))
        for other in others:
            other()
        return stop

    def _tell(self, group: Sequence[_Commit], errors: Sequence[UnavailableError | None]) -> None:
        self._loop.call_soon_threadsafe(self._resolve, group, errors)

    def _write(self, messages: Sequence[NewMessage]) -> list[UnavailableError | None]:
        """Commit `messages` together; return what went wrong, for each."""
        try:
            enqueue(messages, now=datetime.now(UTC))
        except IntegrityError as error:
            if len(messages) > 1:
                return [self._write([message])[0] for message in messages]
            return [unavailable(error)]
        except DATABASE_ERRORS as error:
            self._give_up_connection(error)
            return [unavailable(error)] * len(messages)
        except Exception as error:
            log.exception("the writer failed")
            self._give_up_connection(error)
            return [unavailable(error)] * len(messages)
        return [None] * len(messages)

    def _write_events(self, events: list[SignInEvent]) -> None:
        for start in range(0, len(events), EVENTS_AT_ONCE):
            try:
                self._write_batch(events[start : start + EVENTS_AT_ONCE])
            except DATABASE_ERRORS as error:
                self._give_up_connection(error)
                self._loop.call_soon_threadsafe(self._again, events[start:])
                return

    @staticmethod
    def _write_batch(batch: list[SignInEvent]) -> None:
        try:
            add_sign_ins(batch)
        except IntegrityError:
            # An account was removed meanwhile: the sign-in is kept, its account is not.
            for event in batch:
                event.account = None
            add_sign_ins(batch)

    def _give_up_connection(self, error: BaseException) -> None:
        log.warning("the database refused a write: %r", f"{type(error).__name__}: {error}")
        connections.close_all()
