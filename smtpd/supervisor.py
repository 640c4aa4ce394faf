"""The supervisor: holds the listening sockets, keeps workers and runner alive, obeys signals.

It has one thread, no loop of asyncio and no database: what may keep a privilege does little.

A worker that has read a new policy asks for the endpoints in it (`Want`). The supervisor closes and opens what differs,
passes the sockets to every worker, and answers `Settled`: then the change is in force there, ports included. Where it
stands it tells one of its children (`Status`), which writes it to the database.

TERM and INT drain and end; HUP is noted, there is nothing to reload: every change is live anyway.
"""

from __future__ import annotations

import gc
import os
import selectors
import signal
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

import structlog

from smtpd.channel import (
    Channel,
    ChannelClosedError,
    Close,
    Drain,
    NonsenseError,
    Open,
    Ping,
    Settled,
    Status,
    Waiting,
    Want,
    endpoints_of,
)
from smtpd.children import PING_EVERY, Child, spawn, verdict
from smtpd.notify import Notifier, passed_sockets
from smtpd.signals import SignalPipe
from smtpd.sockets import Endpoint, Ports

# Runs in a child, as role and slot, and returns its exit code.
Body = Callable[[str, int, Channel], int]

TICK: Final = 0.5  # seconds; nothing here is more urgent than that but what wakes the selector
RETRY_PORTS: Final = 3.0
# A drain in a child takes 10 s at most; then it has no more business to live.
LAST_CALL: Final = 15.0

log = structlog.get_logger("smtpd.supervisor")


class Supervisor:
    """Runs `workers` workers and one runner until it is told to end."""

    def __init__(self, workers: int, body: Body, problems: list[str]) -> None:
        """Prepare; nothing is started yet.

        Args:
            workers: how many.
            body: what a child does.
            problems: what is known to be wrong from the start, in words.
        """
        self._body = body
        self._problems = problems
        self._children = [*(Child("worker", slot) for slot in range(workers)), Child("runner", 0)]
        self._notifier = Notifier()
        self._ports = Ports(workers, passed_sockets())
        self._selector = selectors.DefaultSelector()
        self._signals = SignalPipe([signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD])
        self._selector.register(self._signals, selectors.EVENT_READ)
        self._started_at = datetime.now(UTC).isoformat()
        self._generation = 0
        self._ready = False
        self._stopping = False
        self._deadline = 0.0
        self._next: dict[str, float] = {}

    # --- the loop ---

    def run(self) -> int:
        """Run until all children have ended after TERM or INT; return the exit code."""
        gc.collect()
        gc.freeze()
        log.info("starting", workers=len(self._children) - 1, pid=os.getpid())
        while not self._stopping or any(child.pid for child in self._children):
            now = time.monotonic()
            self._start_due(now)
            self._look_after(now)
            for key, _ in self._selector.select(self._pause(now)):
                if isinstance(key.data, Child):
                    self._listen_to(key.data)
                else:
                    self._take_signals()
        log.info("ended")
        return 0

    def _pause(self, now: float) -> float:
        """Return how many seconds the selector may sleep."""
        due = [child.due - now for child in self._children if not child.pid and not self._stopping]
        return max(0.0, min([TICK, *due]))

    def _every(self, name: str, interval: float, now: float) -> bool:
        """Say whether the regular task `name` is due, and note that it is done."""
        if now < self._next.get(name, 0.0):
            return False
        self._next[name] = now + interval
        return True

    def _look_after(self, now: float) -> None:
        """Do what is due."""
        if self._notifier.watchdog_interval and self._every("watchdog", self._notifier.watchdog_interval, now):
            self._notifier.tell("WATCHDOG=1")
        if self._every("ping", PING_EVERY, now):
            for child in self._children:
                child.tell(Ping())
            self._report()
        if self._ports.problems and not self._stopping and self._every("ports", RETRY_PORTS, now):
            self._open_ports()
        for child in self._children:
            if child.stuck(now) or (self._stopping and now > self._deadline):
                log.error("a process does not answer and is killed", child=child.name, pid=child.pid)
                child.signal(signal.SIGKILL)

    # --- signals: one method each ---

    def _take_signals(self) -> None:
        for number in self._signals.arrived():
            if number in {signal.SIGTERM, signal.SIGINT}:
                self._on_term()
            elif number == signal.SIGHUP:
                self._on_hup()
        self._on_child()

    def _on_term(self) -> None:
        """Have everybody drain; a second signal changes nothing."""
        if self._stopping:
            return
        log.info("stopping")
        self._stopping = True
        self._deadline = time.monotonic() + LAST_CALL
        self._notifier.tell("STOPPING=1", "STATUS=draining")
        for child in self._children:
            child.tell(Drain())
        # A client that would only wait is refused, and tries again when somebody listens.
        self._ports.close()

    def _on_hup(self) -> None:
        log.info("nothing to reload: every change is in force without a signal")

    def _on_child(self) -> None:
        """Find out who has ended."""
        for child in self._children:
            if not child.pid:
                continue
            pid, status = os.waitpid(child.pid, os.WNOHANG)
            if pid:
                self._bury(child, status)

    # --- children ---

    def _start_due(self, now: float) -> None:
        for child in self._children:
            if child.pid or self._stopping or now < child.due:
                continue
            try:
                spawn(child, now, lambda channel, child=child: self._live(child, channel))  # type: ignore[misc]  # the default binds the loop's value
            except OSError as error:
                log.error("no process can be started", child=child.name, reason=str(error))  # noqa: TRY400  # the reason is all there is
                child.died(now)
                continue
            if child.channel is not None:
                self._selector.register(child.channel, selectors.EVENT_READ, child)
            log.info("started", child=child.name, pid=child.pid)

    def _live(self, child: Child, channel: Channel) -> int:
        """Become the child: let go of everything that is the supervisor's, and do the child's work."""
        self._signals.let_go()
        self._selector.close()
        self._notifier.close()
        self._ports.close()
        for sibling in self._children:
            # An end of a sibling's line held here would keep it from seeing that the supervisor is gone.
            if sibling.channel is not None:
                sibling.channel.close()
        try:
            return self._body(child.role, child.slot, channel)
        except Exception:
            log.exception("the process could not start")
            return 1
        finally:
            sys.stdout.flush()
            sys.stderr.flush()

    def _bury(self, child: Child, status: int) -> None:
        """Note the end of a process, and when the next one is due."""
        if child.channel is not None:
            self._listen_to(child)
        if child.channel is not None:
            self._selector.unregister(child.channel)
        pid = child.pid
        pause = child.died(time.monotonic())
        if self._stopping:
            log.info("a process has ended", child=child.name, pid=pid, how=verdict(status))
            return
        log.warning("a process has ended", child=child.name, pid=pid, how=verdict(status), restart_in=pause)
        self._report()

    def _listen_to(self, child: Child) -> None:
        """Take what a child says."""
        if child.channel is None:
            return
        try:
            for message, passed in child.channel.receive():
                if passed is not None:
                    passed.close()
                child.heard(time.monotonic())
                if isinstance(message, Want):
                    self._on_want(child, message)
                elif isinstance(message, Waiting):
                    child.waiting = message.reason
                    child.reported = True
        except ChannelClosedError as error:
            self._selector.unregister(child.channel)
            child.channel.close()
            child.channel = None
            if isinstance(error, NonsenseError):
                log.error("a process talks nonsense and is killed", child=child.name, pid=child.pid)  # noqa: TRY400  # no traceback worth reading
                child.signal(signal.SIGKILL)
        self._announce()

    # --- ports ---

    def _on_want(self, child: Child, want: Want) -> None:
        """Bring the ports to what the newest policy among the workers asks for, and tell `child` when that is done."""
        child.generation = want.generation
        child.reported = True
        child.waiting = ""
        newest = max(other.generation for other in self._children if other.role == "worker")
        if child.role == "worker" and want.generation == newest and not self._stopping:
            endpoints = [Endpoint(*fields) for fields in endpoints_of(want)]
            for closed in self._ports.want(endpoints):
                log.info("listener closed", endpoint=str(closed))
                self._withdraw(closed)
            self._open_ports()
        self._generation = max(other.generation for other in self._children)
        child.tell(Settled(want.generation))
        self._report()

    def _withdraw(self, endpoint: Endpoint) -> None:
        for child in self._children:
            if endpoint.key in child.given:
                child.given.discard(endpoint.key)
                child.tell(Close(endpoint.address, endpoint.port))

    def _open_ports(self) -> None:
        """Try to open what is wanted, and see to it that every worker has what is open."""
        before = dict(self._ports.problems)
        for endpoint in self._ports.open_missing():
            log.info("listener open", endpoint=str(endpoint))
        for key, problem in self._ports.problems.items():
            if before.get(key) != problem:
                log.error("a listener cannot be opened", problem=problem)
        for child in self._children:
            if child.role != "worker" or child.channel is None or not child.generation:
                continue
            for endpoint, sock in self._ports.of_slot(child.slot):
                if endpoint.key not in child.given:
                    child.given.add(endpoint.key)
                    child.tell(Open(endpoint.address, endpoint.port), sock)
        if before != self._ports.problems:
            self._report()

    # --- reports ---

    def _report(self) -> None:
        """Tell one child, which has the database, how the supervisor stands."""
        for child in self._children:
            if child.channel is not None and child.generation:
                problems = [*self._problems, *self._ports.problems.values()]
                child.tell(Status(os.getpid(), self._started_at, self._generation, problems))
                return

    def _announce(self) -> None:
        """Tell the service manager how things stand; ready is when every process has said how it stands."""
        waiting = next((child.waiting for child in self._children if child.waiting), "")
        if self._stopping or not all(child.reported for child in self._children):
            return
        if not self._ready:
            self._ready = True
            self._notifier.tell("READY=1")
        closed = len(self._ports.problems)
        ports = f", {closed} {'port' if closed == 1 else 'ports'} cannot be opened" if closed else ""
        self._notifier.status(waiting or f"serving{ports}")
