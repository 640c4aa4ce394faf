"""The frame of a child process: event loop, line to the supervisor, watcher, drain. What it is for is its `Duty`.

It ends with 0 after a drain: on TERM, on the supervisor's word, or when the supervisor is gone. It ends with 1 when its
work fails; the supervisor then starts another one.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
from contextlib import suppress
from typing import Any, Final, Protocol

import structlog
import uvloop

from mailadmin.policy.snapshot import Snapshot
from smtpd import observe, privileges
from smtpd.channel import (
    Channel,
    ChannelClosedError,
    Close,
    Drain,
    Message,
    Open,
    Ping,
    Pong,
    Settled,
    Status,
    Waiting,
    Want,
)
from smtpd.delivering import Delivering
from smtpd.watcher import Watcher
from smtpd.worker import Worker

# Collections of cyclic garbage: rarely, since sessions leave next to none, and never over what the start has made.
GC_THRESHOLDS: Final = (20_000, 20, 50)
SETTLE_TIME: Final = 3.0  # seconds for the supervisor to open ports before a policy counts as adopted all the same

log = structlog.get_logger("smtpd.frame")


class Duty(Protocol):
    """What a child does: serve sessions, or run the queue."""

    async def adopt(self, snapshot: Snapshot, watcher: Watcher) -> list[tuple[str, str, int]]:
        """Bring `snapshot` into force; return the endpoints (name, address, port) that should be open."""
        ...

    async def work(self) -> None:
        """Do it until cancelled; begins after the first `adopt`."""
        ...

    async def open(self, address: str, port: int, sock: socket.socket) -> None:
        """Accept connections on `sock`."""
        ...

    def close(self, address: str, port: int) -> None:
        """Accept no more connections there."""
        ...

    async def drain(self) -> None:
        """Stop accepting and let what is under way finish, within a limit."""
        ...


def node_name() -> str:
    """Return this machine's name in the database: ``MAILADMIN_NODE``, or what the system calls itself."""
    return os.environ.get("MAILADMIN_NODE") or socket.gethostname()


class Frame:
    """One child process, from its first instant to its exit code."""

    def __init__(self, role: str, slot: int, channel: Channel, duty: Duty) -> None:
        self._channel = channel
        self._duty = duty
        self._watcher = Watcher(role, node_name(), first=role == "worker" and slot == 0, adopt=self._adopt)
        self._inbox: asyncio.Queue[tuple[Message, socket.socket | None]] = asyncio.Queue()
        self._stop = asyncio.Event()
        self._settled = asyncio.Event()
        self._adopted = asyncio.Event()
        self._settling = 0

    async def run(self) -> int:
        """Do the duty until it is time to end; return the exit code."""
        loop = asyncio.get_running_loop()
        observe.log_faults(loop)
        loop.add_signal_handler(signal.SIGTERM, self._stop.set)
        loop.add_reader(self._channel.fileno(), self._hear)
        tasks: set[asyncio.Task[Any]] = {
            asyncio.create_task(self._stop.wait(), name="stop"),
            asyncio.create_task(self._watcher.follow(self._wait_for), name="follow"),
            asyncio.create_task(self._watcher.beat(), name="beat"),
            asyncio.create_task(self._obey(), name="obey"),
            asyncio.create_task(self._work(), name="work"),
        }
        done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        code = 0 if self._stop.is_set() else 1
        for task in done:
            error = task.exception()
            if error is not None:
                log.error("the process cannot go on", task=task.get_name(), fault=observe.fault_id(), exc_info=error)
        loop.remove_reader(self._channel.fileno())
        await self._end(pending)
        return code

    async def _end(self, pending: set[asyncio.Task[Any]]) -> None:
        """Drain, then stop everything else."""
        await self._duty.drain()
        for task in pending:
            task.cancel()
        if pending:
            await asyncio.wait(pending, timeout=1)
        await self._watcher.close()

    async def _work(self) -> None:
        await self._adopted.wait()
        await self._duty.work()

    async def _adopt(self, snapshot: Snapshot) -> None:
        """Bring `snapshot` into force, the ports included."""
        endpoints = await self._duty.adopt(snapshot, self._watcher)
        if not self._adopted.is_set():
            gc.collect()
            gc.freeze()
        self._adopted.set()
        self._settling = snapshot.generation
        self._settled.clear()
        self._say(Want(snapshot.generation, endpoints))
        with suppress(TimeoutError):
            async with asyncio.timeout(SETTLE_TIME):
                await self._settled.wait()

    def _wait_for(self, reason: str) -> None:
        self._say(Waiting(reason))

    def _say(self, message: Message) -> None:
        try:
            self._channel.send(message)
        except ChannelClosedError:
            self._stop.set()

    def _hear(self) -> None:
        """Take what the supervisor says; when it is gone, end."""
        try:
            for message, sock in self._channel.receive():
                if isinstance(message, Ping):
                    self._say(Pong())
                elif isinstance(message, Drain):
                    self._stop.set()
                else:
                    self._inbox.put_nowait((message, sock))
        except ChannelClosedError:
            log.warning("the supervisor is gone")
            asyncio.get_running_loop().remove_reader(self._channel.fileno())
            self._stop.set()

    async def _obey(self) -> None:
        """Do what the supervisor says, in its order."""
        while True:
            message, sock = await self._inbox.get()
            if isinstance(message, Open) and sock is not None:
                await self._duty.open(message.address, message.port, sock)
            elif isinstance(message, Close):
                self._duty.close(message.address, message.port)
            elif isinstance(message, Settled):
                if message.generation == self._settling:
                    self._settled.set()
            elif isinstance(message, Status):
                self._watcher.supervisor = message
                self._watcher.beat_soon()


def child(role: str, slot: int, channel: Channel) -> int:
    """Be the child `role` in `slot`, and return the exit code (called right after the fork)."""
    # Ctrl-C and a closed terminal reach the whole group of processes; what to do is the supervisor's decision.
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    name = f"{role}-{slot}" if role == "worker" else role
    observe.configure(name)
    privileges.name_process(f"smtpd-{name}")
    privileges.keep_nothing()
    gc.enable()
    gc.set_threshold(*GC_THRESHOLDS)

    async def live() -> int:
        return await Frame(role, slot, channel, _duty(role)).run()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(live())


def _duty(role: str) -> Duty:
    return Worker() if role == "worker" else Delivering()
