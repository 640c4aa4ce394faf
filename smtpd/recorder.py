"""Writes down what deliveries came to: whatever has gathered while the last transaction ran shares the next one.

A result is kept until the database has taken it, however long that is down: forgetting one would deliver the message
again. A fault in writing one result must not keep back the others, so each is then tried alone, and in the end without
the notice that it makes due.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final

import structlog

from mailadmin.queue.envelopes import Result
from smtpd import observe
from smtpd.runtime import Runtime
from smtpd.storage.errors import UnavailableError
from smtpd.storage.queue import Queue, rules

AT_ONCE: Final = 200  # results in a transaction
GATHER: Final = 0.005  # seconds in which deliveries that end together share a transaction
RETRY: Final = 0.5  # seconds until the database is tried again
PROBLEM: Final = "queue"

log = structlog.get_logger("smtpd.recorder")


class Recorder:
    """Records results in the background.

    Args:
        runtime: the policy, the clock, and where problems are told.
        queue: the database.
        done: called with results that are recorded.
    """

    def __init__(self, runtime: Runtime, queue: Queue, done: Callable[[Sequence[Result]], None]) -> None:
        self._runtime = runtime
        self._queue = queue
        self._done = done
        self._results: list[Result] = []
        self._some = asyncio.Event()
        self._none = asyncio.Event()
        self._none.set()
        self._task = asyncio.create_task(self._run(), name="recorder")

    def add(self, results: Sequence[Result]) -> None:
        """Take `results` over."""
        self._results += results
        if results:
            self._some.set()
            self._none.clear()

    async def finish(self, seconds: float) -> None:
        """Record what there is, for at most `seconds`, and end."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._none.wait()
        self._task.cancel()
        await asyncio.wait([self._task])

    async def _run(self) -> None:
        while True:
            await self._some.wait()
            await asyncio.sleep(GATHER)
            batch = self._results[:AT_ONCE]
            try:
                await self._record(batch)
            except UnavailableError as error:
                if PROBLEM not in self._runtime.problems:
                    log.warning("deliveries cannot be recorded", reason=str(error))
                self._runtime.problems[PROBLEM] = f"Deliveries cannot be recorded: {error}"
                await asyncio.sleep(RETRY)
                continue
            self._runtime.problems.pop(PROBLEM, None)
            del self._results[: len(batch)]
            if not self._results:
                self._some.clear()
                self._none.set()
            self._done(batch)

    async def _record(self, batch: Sequence[Result], *, tell: bool = True) -> None:
        """Record `batch`, together or, where that fails, one by one.

        Raises:
            UnavailableError: the database does not take it now.
        """
        now = datetime.fromtimestamp(self._runtime.clock(), UTC)
        try:
            await self._queue.record(batch, now, rules(self._runtime.snapshot), tell=tell)
        except UnavailableError:
            raise
        # A fault of ours, in a notice most likely, whose message would otherwise be delivered again and again.
        except Exception:
            log.exception("recording failed", fault=observe.fault_id(), results=len(batch), tell=tell)
            if len(batch) > 1:
                for result in batch:
                    await self._record([result])
            elif tell:
                await self._record(batch, tell=False)
