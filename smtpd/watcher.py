"""Keeps a process up to date: hears a new generation, reads the policy, has it adopted, and says so in the database.

The loop never waits for the database: the watcher reads in one thread and writes in another, so that a heartbeat that
waits for SQLite's one write lock holds up no change of policy. While the database is down, the last policy stays in
force and every step is tried again.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from typing import Final, TypeVar

import structlog

from mailadmin.policy.snapshot import Snapshot
from smtpd import observe
from smtpd.channel import Status
from smtpd.storage import generations, policy
from smtpd.storage.errors import UnavailableError

HEARTBEAT: Final = 2.0  # seconds
RETRY: Final = 0.5  # seconds until the database is tried again
CARE_EVERY: Final = 12 * 3600.0  # seconds between two looks whether the certificate must be renewed

R = TypeVar("R")
log = structlog.get_logger("smtpd.watcher")


class Watcher:
    """Follows the policy for one process.

    Attributes:
        problems: what the process cannot do at the moment, by subject, in words for the panel.
        supervisor: what the supervisor last said of itself, when this process is the one to write it down.
        in_force: the generation that this process runs by; 0 before the first.
    """

    def __init__(self, role: str, node: str, *, first: bool, adopt: Callable[[Snapshot], Awaitable[None]]) -> None:
        """Follow the policy for a `role` on `node`.

        Args:
            role: worker or runner.
            node: this machine's name in the database.
            first: it is this process's part to fill an empty database and to renew the server's own certificate.
            adopt: brings a policy into force.
        """
        self._role = role
        self.node = node
        self._first = first
        self._adopt = adopt
        self._reading = ThreadPoolExecutor(1, thread_name_prefix="watcher-reads")
        self._writing = ThreadPoolExecutor(1, thread_name_prefix="watcher-writes")
        self._ear = generations.ear()
        self._started_at = datetime.now(UTC)
        self._beat_now = asyncio.Event()
        self._care_at = 0.0
        self.problems: dict[str, str] = {}
        self.supervisor: Status | None = None
        self.in_force = 0

    async def in_thread(self, call: Callable[[], R]) -> R:
        """Run a blocking `call` in the thread that reads."""
        return await asyncio.get_running_loop().run_in_executor(self._reading, call)

    async def _in_writing_thread(self, call: Callable[[], R]) -> R:
        return await asyncio.get_running_loop().run_in_executor(self._writing, call)

    async def follow(self, waiting: Callable[[str], None]) -> None:
        """Adopt every new generation until cancelled; call `waiting` with the reason while there is none at all."""
        while True:
            try:
                await self._next()
            except UnavailableError as error:
                if self.problems.get("database") != str(error):
                    log.warning("the database is not available", reason=str(error))
                self.problems["database"] = str(error)
                if not self.in_force:
                    waiting(str(error))
            # A fault while reading or adopting must not end the process that serves the policy before.
            except Exception as error:
                fault = observe.fault_id()
                log.exception("a new policy could not be taken", fault=fault)
                self.problems["policy"] = f"A new policy could not be taken ({type(error).__name__}, fault {fault})."
                if not self.in_force:
                    waiting(self.problems["policy"])
            else:
                continue
            await asyncio.sleep(RETRY)

    async def _next(self) -> None:
        """Wait for a generation other than the one in force, and bring it into force."""
        if not self.in_force:
            await self._care()
        await self._ear.wait(self.in_force or None)
        snapshot = await self.in_thread(policy.read_snapshot)
        await self._adopt(snapshot)
        if self.problems.pop("database", None) is not None:
            log.info("the database is available again")
        self.problems.pop("policy", None)
        self.in_force = snapshot.generation
        self.beat_soon()

    async def _care(self) -> None:
        """Have what must be in the database put there, when it is time and ours to do."""
        loop = asyncio.get_running_loop()
        if self._first and loop.time() >= self._care_at:
            await self._in_writing_thread(partial(policy.prepare, datetime.now(UTC)))
            self._care_at = loop.time() + CARE_EVERY

    def beat_soon(self) -> None:
        """Have the state of the process written now, not at the next heartbeat."""
        self._beat_now.set()

    async def beat(self) -> None:
        """Write heartbeats until cancelled."""
        while True:
            if self.in_force:
                try:
                    await self._in_writing_thread(self._write_beat)
                    await self._care()
                except UnavailableError as error:
                    self.problems["database"] = str(error)
                else:
                    self.problems.pop("database", None)
            try:
                async with asyncio.timeout(HEARTBEAT):
                    await self._beat_now.wait()
            except TimeoutError:
                continue
            self._beat_now.clear()

    def _write_beat(self) -> None:
        """Write this process's row, and the supervisor's if that is ours to do (in the writing thread)."""
        now = datetime.now(UTC)
        policy.beat(
            node=self.node,
            pid=os.getpid(),
            role=self._role,
            generation_=self.in_force,
            started_at=self._started_at,
            problems=list(self.problems.values()),
            now=now,
        )
        status, self.supervisor = self.supervisor, None
        if status is not None:
            policy.beat(
                node=self.node,
                pid=status.pid,
                role="supervisor",
                generation_=status.generation,
                started_at=datetime.fromisoformat(status.started_at),
                problems=status.problems,
                now=now,
            )
            policy.forget_ended(self.node, now)

    async def close(self) -> None:
        """Take the process out of the table, if the database is there, and let go of the connections."""
        await self._ear.close()
        try:
            async with asyncio.timeout(HEARTBEAT):
                await self._in_writing_thread(partial(policy.forget, self.node, os.getpid()))
                await self._in_writing_thread(policy.close)
                await self.in_thread(policy.close)
        except (UnavailableError, TimeoutError):
            log.info("the database did not hear that this process ends")
        for thread in (self._reading, self._writing):
            thread.shutdown(wait=False, cancel_futures=True)
