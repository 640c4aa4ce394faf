"""Kept connections and the number of open ones: both are bounded, per server and in all."""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

from smtpd.smtp.client_actions import Trouble

from .connection import Connection
from .targets import Target

MOST_MESSAGES: Final = 20  # over one connection, as servers expect of a polite client
MOST_IDLE: Final = 10
MOST_PER_SERVER: Final = 5
MOST_OPEN: Final = 20


class Pool:
    """Keeps connections that can carry another message, for a short time.

    Args:
        idle_seconds: how long one is kept unused.
    """

    def __init__(self, idle_seconds: float) -> None:
        self._idle_seconds = idle_seconds
        # The longest unused one comes first.
        self._idle: OrderedDict[Connection, tuple[Target, asyncio.TimerHandle]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._idle)

    def take(self, target: Target) -> Connection | None:
        """Return a kept connection to `target` that is still open, or None; the latest used comes first."""
        for connection, (kept_for, _) in reversed(list(self._idle.items())):
            if kept_for != target:
                continue
            self._forget(connection)
            if not connection.closed:
                return connection
            connection.abort()
        return None

    def keep(self, target: Target, connection: Connection) -> None:
        """Keep `connection`, unless it has carried enough; the longest unused one makes room."""
        limit = connection.features.limit("MAILMAX") or MOST_MESSAGES
        if connection.closed or connection.messages >= min(limit, MOST_MESSAGES):
            connection.leave()
            return
        if len(self._idle) >= MOST_IDLE:
            self._end(next(iter(self._idle)))
        timer = asyncio.get_running_loop().call_later(self._idle_seconds, self._end, connection)
        self._idle[connection] = (target, timer)

    def close(self) -> None:
        """Leave them all."""
        for connection in list(self._idle):
            self._end(connection)

    def _end(self, connection: Connection) -> None:
        self._forget(connection)
        connection.leave()

    def _forget(self, connection: Connection) -> None:
        _, timer = self._idle.pop(connection)
        timer.cancel()


class Slots:
    """Counts the transactions under way: at most so many to one server, and so many in all."""

    def __init__(self) -> None:
        self._all = asyncio.Semaphore(MOST_OPEN)
        self._servers: dict[tuple[str, int], asyncio.Semaphore] = {}
        self._interested: Counter[tuple[str, int]] = Counter()

    @asynccontextmanager
    async def slot(self, target: Target, deadline: float) -> AsyncGenerator[None, None]:
        """Wait for a free place at `target`, and hold it.

        Raises:
            Trouble: none was free by `deadline`, the loop's time in seconds.
        """
        key = (target.address, target.port)
        semaphore = self._servers.setdefault(key, asyncio.Semaphore(MOST_PER_SERVER))
        self._interested[key] += 1
        try:
            async with AsyncExitStack() as stack:
                try:
                    async with asyncio.timeout_at(deadline):
                        await stack.enter_async_context(semaphore)
                        await stack.enter_async_context(self._all)
                except TimeoutError:
                    words = "Other deliveries to this server took all the time there was."
                    raise Trouble("connect", words, "4.4.5", reason="timeout") from None
                yield
        finally:
            self._interested[key] -= 1
            if not self._interested[key]:
                del self._interested[key], self._servers[key]
