"""What the runner does beside delivering: take away what is old, and try ways out for people who ask."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Final

import structlog

from smtpd.delivery.probe import probe
from smtpd.delivery.resolver import MxResolver
from smtpd.runtime import Runtime
from smtpd.storage.errors import UnavailableError
from smtpd.storage.queue import Queue, RouteTest

FIRST_SWEEP: Final = 60.0  # seconds after the start
SWEEP_EVERY: Final = 3600.0
ASK_EVERY: Final = 0.5  # seconds between two looks for a route to test
AT_ONCE: Final = 4  # tests

log = structlog.get_logger("smtpd.housekeeping")


class Housekeeping:
    """The runner's regular work.

    Args:
        runtime: the policy and the clock.
        queue: the database.
    """

    def __init__(self, runtime: Runtime, queue: Queue) -> None:
        self._runtime = runtime
        self._queue = queue

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._runtime.clock(), UTC)

    async def sweep(self) -> None:
        """Sweep once an hour until cancelled."""
        await asyncio.sleep(FIRST_SWEEP)
        while True:
            try:
                messages, bodies = await self._queue.sweep(self._now())
            except UnavailableError as error:
                log.warning("the sweep has to wait", reason=str(error))
            else:
                if messages or bodies:
                    log.info("swept", messages=messages, orphaned_bodies=bodies)
            await asyncio.sleep(SWEEP_EVERY)

    async def test_routes(self) -> None:
        """Execute the tests of ways out that people ask for, until cancelled."""
        places = asyncio.Semaphore(AT_ONCE)
        async with asyncio.TaskGroup() as tests:
            while True:
                await places.acquire()
                test = await self._next_test()
                if test is None:
                    places.release()
                    await asyncio.sleep(ASK_EVERY)
                    continue
                task = tests.create_task(self._execute(test), name=f"route test {test.id}")
                task.add_done_callback(lambda _: places.release())

    async def _next_test(self) -> RouteTest | None:
        try:
            return await self._queue.next_test(self._now())
        except UnavailableError:
            return None

    async def _execute(self, test: RouteTest) -> None:
        snapshot = self._runtime.snapshot
        resolver = MxResolver(hostname=snapshot.hostname, allow_private=snapshot.allow_private_destinations)
        ok, steps = await probe(
            test.target, test.password, hostname=snapshot.hostname, resolver=resolver, mx_port=snapshot.mx_port
        )
        try:
            await self._queue.answer_test(test.id, ok=ok, steps=steps, now=self._now())
        except UnavailableError as error:
            log.warning("the answer to a route test is lost", reason=str(error))
