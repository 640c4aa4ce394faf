"""The duty of the runner process: `smtpd.runner.run`, until it is told to end."""

from __future__ import annotations

import asyncio
import socket
from typing import Final

from mailadmin.policy.snapshot import Snapshot
from smtpd import limits, runner
from smtpd.runtime import Runtime
from smtpd.store import Store
from smtpd.watcher import Watcher

LAST_WORDS: Final = 1.0  # seconds beyond the time of a drain, for a loaded machine


class Delivering:
    """Runs the queue. Attempts under way at the end get the time of a drain; a lease that is cut off runs out."""

    def __init__(self) -> None:
        self._runtime: Runtime | None = None
        self._task: asyncio.Task[None] | None = None

    async def adopt(self, snapshot: Snapshot, watcher: Watcher) -> list[tuple[str, str, int]]:
        """Swap the policy; the runner listens nowhere."""
        if self._runtime is None:
            store = Store(asyncio.get_running_loop())
            self._runtime = Runtime(snapshot, store, watcher.node, problems=watcher.problems)
        self._runtime.snapshot = snapshot
        return []

    async def work(self) -> None:
        """Deliver until cancelled."""
        if self._runtime is None:
            raise RuntimeError("work() before adopt()")
        self._task = asyncio.create_task(runner.run(self._runtime))
        await self._task

    async def open(self, address: str, port: int, sock: socket.socket) -> None:  # noqa: ARG002  # a Duty's signature
        """Close `sock`: the runner serves nobody."""
        sock.close()

    def close(self, address: str, port: int) -> None:
        """Nothing is open."""

    async def drain(self) -> None:
        """Tell the runner to end and wait for it; it keeps to the time of a drain by itself."""
        if self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.wait([self._task], timeout=limits.DRAIN_TIME + LAST_WORDS)
        if self._runtime is not None:
            await self._runtime.store.close()
