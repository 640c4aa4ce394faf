"""A runner at work on this run's database, in a thread with a loop of its own, so that tests may block.

with Running() as runner:
put(...)
wait_until(...)
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Self

import uvloop
from django.db import connections

from mailadmin.policy.services import build_snapshot
from smtpd import runner
from smtpd.runtime import Runtime
from smtpd.store import Store

START_TIME = 10.0  # seconds
WAIT = 15.0


def now() -> datetime:
    """Return the time; the runner goes by the real one."""
    return datetime.now(UTC)


def wait_until(condition: Callable[[], object], what: str, seconds: float = WAIT) -> None:
    """Return when `condition` holds.

    Raises:
        AssertionError: it does not within `seconds`.
    """
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.02)


class Running:
    """`smtpd.runner.run` by the policy that the database holds at the start, or at the last `adopt`."""

    def __init__(self, node: str = "here") -> None:
        """Be the runner of `node`."""
        self._node = node
        self._thread = threading.Thread(target=self._run, name="runner")
        self._started = threading.Event()
        self._snapshot = build_snapshot()
        self.runtime: Runtime | None = None
        self.failure: BaseException | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._started.wait(START_TIME)
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()
        if self.failure is not None:
            raise self.failure

    def adopt(self) -> None:
        """Bring the policy in the database into force."""
        assert self._loop is not None
        snapshot = build_snapshot()
        done = threading.Event()

        def swap() -> None:
            assert self.runtime is not None
            self.runtime.snapshot = snapshot
            done.set()

        self._loop.call_soon_threadsafe(swap)
        assert done.wait(START_TIME)

    def stop(self) -> None:
        """Drain the runner and wait for its end."""
        if self._loop is not None and self._task is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join(30)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop:
                loop.run(self._live())
        except BaseException as error:  # noqa: BLE001  # raised in the test's thread
            self.failure = error
        finally:
            self._started.set()
            connections.close_all()

    async def _live(self) -> None:
        self._loop = asyncio.get_running_loop()
        store = Store(self._loop)
        self.runtime = Runtime(self._snapshot, store, self._node)
        self._task = asyncio.create_task(runner.run(self.runtime))
        self._started.set()
        await asyncio.wait([self._task])
        await store.close()
        if not self._task.cancelled():
            self._task.result()
