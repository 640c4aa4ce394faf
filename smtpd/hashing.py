"""Checks passwords against slow verifiers without holding up the event loop.

A few threads at the lowest priority do the hashing (bcrypt lets go of the interpreter's lock), so that a flood of
sign-ins slows down sign-ins and nothing else. What waits is bounded, in all and for each client's address; beyond that
the answer is "try again later".

Verdicts are remembered, right and wrong ones apart, under a keyed hash of verifier and password. The verifier is part
of the key, so a password that was changed can never hit; and since a decoy is a verifier like any other, a second try
is as quick for an unknown name as for a known one. The memory holds no password, and dies with the process.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import threading
from collections import Counter, OrderedDict
from concurrent.futures import Future as ThreadFuture
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from hashlib import blake2b
from typing import Final

from mailadmin.sasl import verifiers

THREADS: Final = min(4, os.cpu_count() or 1)
QUEUE: Final = 64  # hashes under way or waiting, in all
PER_SOURCE: Final = 8  # of them for one client's address
REMEMBERED: Final = 8192  # verdicts of each kind
_LOWEST_PRIORITY: Final = 19

log = logging.getLogger(__name__)


class TemporaryFailure(Exception):  # noqa: N818  # it is an outcome: the answer is 454, not a fault
    """The password cannot be checked now."""


class _Memory:
    """Remembers keys, the least recently used are forgotten first."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._keys: OrderedDict[bytes, None] = OrderedDict()

    def __contains__(self, key: bytes) -> bool:
        if key not in self._keys:
            return False
        self._keys.move_to_end(key)
        return True

    def add(self, key: bytes) -> None:
        self._keys[key] = None
        if len(self._keys) > self._size:
            self._keys.popitem(last=False)


class Hashing:
    """The pool of threads and the memory of verdicts of one process; used from one event loop."""

    def __init__(
        self,
        *,
        threads: int = THREADS,
        queue: int = QUEUE,
        per_source: int = PER_SOURCE,
        remembered: int = REMEMBERED,
    ) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="hashing", initializer=_step_back)
        self._queue = queue
        self._per_source = per_source
        self._secret = secrets.token_bytes(32)
        self._right = _Memory(remembered)
        self._wrong = _Memory(remembered)
        # Who waits for a hash that is under way: several connections of one person share it.
        self._waiting: dict[bytes, list[asyncio.Future[bool]]] = {}
        self._by_source: Counter[str] = Counter()

    def check(self, verifier: str, password: bytes, source: str) -> bool | asyncio.Future[bool]:
        """Say whether `password` is right: at once when the verdict is remembered, else by a Future.

        Args:
            verifier: see `mailadmin.sasl.verifiers`; one of unknown form costs nothing and is wrong.
            password: the octets.
            source: the client's address, or whatever its share of the queue is counted by.

        Raises:
            TemporaryFailure: too much is waiting already. The Future raises it as well, when hashing goes wrong.
        """
        key = blake2b(verifier.encode() + b"\0" + password, key=self._secret, digest_size=32).digest()
        if key in self._right:
            return True
        if key in self._wrong:
            return False
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[bool] = loop.create_future()
        if key in self._waiting:
            self._waiting[key].append(waiter)
            return waiter
        if len(self._waiting) >= self._queue or self._by_source[source] >= self._per_source:
            raise TemporaryFailure
        try:
            job = self._pool.submit(verifiers.check, verifier, password)
        except RuntimeError as error:  # the pool is closed
            raise TemporaryFailure from error
        self._waiting[key] = [waiter]
        self._by_source[source] += 1
        job.add_done_callback(partial(self._tell, loop, key, source))
        return waiter

    def close(self) -> None:
        """Let the threads end; what waits is told to try again later."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _tell(self, loop: asyncio.AbstractEventLoop, key: bytes, source: str, job: ThreadFuture[bool]) -> None:
        """Hand a job over to the event loop, unless that has been closed meanwhile; runs in a thread of the pool."""
        try:
            loop.call_soon_threadsafe(self._done, key, source, job)
        except RuntimeError:
            log.debug("the event loop was closed before a hash was done")

    def _done(self, key: bytes, source: str, job: ThreadFuture[bool]) -> None:
        """Take a verdict in, in the event loop."""
        self._by_source[source] -= 1
        if not self._by_source[source]:
            del self._by_source[source]
        waiters = [waiter for waiter in self._waiting.pop(key) if not waiter.done()]
        error = None if job.cancelled() else job.exception()
        if job.cancelled() or error is not None:
            if error is not None:
                log.error("a password could not be checked", exc_info=error)
            for waiter in waiters:
                waiter.set_exception(TemporaryFailure())
            return
        verdict = job.result()
        (self._right if verdict else self._wrong).add(key)
        for waiter in waiters:
            waiter.set_result(verdict)


def _step_back() -> None:
    """Give this thread the lowest priority: on Linux each thread has its own; elsewhere it stays as it is."""
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _LOWEST_PRIORITY)
