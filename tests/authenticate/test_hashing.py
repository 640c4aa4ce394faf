"""The pool of hashing threads and the memory of verdicts."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Awaitable, Callable, Iterator

import pytest

from smtpd.hashing import Hashing, TemporaryFailure
from tests.authenticate.household import verifier

SLOW = 9  # about 30 ms
Check = Callable[[Hashing], Awaitable[None]]


@pytest.fixture
def hashing() -> Iterator[Hashing]:
    pool = Hashing()
    yield pool
    pool.close()


async def verdict(hashing: Hashing, password: str, octets: bytes) -> bool:
    answer = hashing.check(verifier(password), octets, "192.0.2.1")
    return await answer if isinstance(answer, asyncio.Future) else answer


def test_a_verdict_comes_later_and_is_remembered(hashing: Hashing) -> None:
    async def scene() -> None:
        for octets, right in ((b"mikan", True), (b"ringo", False)):
            first = hashing.check(verifier("mikan"), octets, "192.0.2.1")
            assert isinstance(first, asyncio.Future)
            assert await first is right
            assert hashing.check(verifier("mikan"), octets, "192.0.2.2") is right

    asyncio.run(scene())


def test_a_changed_password_can_never_hit(hashing: Hashing) -> None:
    async def scene() -> None:
        assert await verdict(hashing, "mikan", b"mikan")
        changed = hashing.check(verifier("ringo"), b"mikan", "192.0.2.1")
        assert isinstance(changed, asyncio.Future)
        assert not await changed

    asyncio.run(scene())


def test_the_least_recently_used_verdict_is_forgotten_first() -> None:
    hashing = Hashing(remembered=2)

    async def scene() -> None:
        for password in ("a", "b"):
            await verdict(hashing, password, password.encode())
        assert hashing.check(verifier("a"), b"a", "x") is True
        await verdict(hashing, "c", b"c")
        assert hashing.check(verifier("a"), b"a", "x") is True
        assert isinstance(hashing.check(verifier("b"), b"b", "x"), asyncio.Future)

    asyncio.run(scene())
    hashing.close()


def test_wrong_guesses_do_not_push_out_right_verdicts() -> None:
    hashing = Hashing(remembered=2)

    async def scene() -> None:
        await verdict(hashing, "mikan", b"mikan")
        for number in range(5):
            await verdict(hashing, "mikan", b"%d" % number)
        assert hashing.check(verifier("mikan"), b"mikan", "x") is True

    asyncio.run(scene())
    hashing.close()


def test_the_queue_is_bounded_for_each_source_and_in_all() -> None:
    hashing = Hashing(threads=1, queue=3, per_source=2)

    async def scene() -> None:
        def ask(number: int, source: str) -> bool | asyncio.Future[bool]:
            return hashing.check(verifier("mikan", SLOW), b"%d" % number, source)

        waiting = [ask(1, "a"), ask(2, "a")]
        with pytest.raises(TemporaryFailure):
            ask(3, "a")
        waiting.append(ask(4, "b"))
        with pytest.raises(TemporaryFailure):
            ask(5, "c")
        for future in waiting:
            assert isinstance(future, asyncio.Future)
            assert not await future
        again = ask(6, "a")
        assert isinstance(again, asyncio.Future)
        assert not await again

    asyncio.run(scene())
    hashing.close()


def test_the_same_question_at_the_same_time_is_hashed_once() -> None:
    hashing = Hashing(threads=1, queue=1)

    async def scene() -> None:
        answers = [hashing.check(verifier("mikan", SLOW), b"mikan", f"192.0.2.{host}") for host in range(20)]
        futures = [answer for answer in answers if isinstance(answer, asyncio.Future)]
        assert len(futures) == 20
        futures[0].cancel()
        assert await asyncio.gather(*futures[1:]) == [True] * 19

    asyncio.run(scene())
    hashing.close()


def test_after_the_end_the_answer_is_to_try_again_later() -> None:
    hashing = Hashing(threads=1)

    async def scene() -> None:
        waiting = [hashing.check(verifier("mikan", SLOW), b"%d" % number, "x") for number in range(3)]
        hashing.close()
        with pytest.raises(TemporaryFailure):
            hashing.check(verifier("mikan"), b"mikan", "x")
        results = await asyncio.gather(*(w for w in waiting if isinstance(w, asyncio.Future)), return_exceptions=True)
        assert len(results) == 3
        assert all(result is False or isinstance(result, TemporaryFailure) for result in results)
        assert any(isinstance(result, TemporaryFailure) for result in results)

    asyncio.run(scene())


def test_hashing_threads_have_the_lowest_priority(hashing: Hashing) -> None:
    async def scene() -> None:
        await verdict(hashing, "mikan", b"a thread must have run")

    before = os.getpriority(os.PRIO_PROCESS, 0)
    asyncio.run(scene())
    threads = [thread.native_id for thread in threading.enumerate() if thread.name.startswith("hashing")]
    assert threads
    assert all(os.getpriority(os.PRIO_PROCESS, number or 0) == 19 for number in threads)
    assert os.getpriority(os.PRIO_PROCESS, 0) == before


@pytest.mark.alone
def test_the_event_loop_goes_on_while_passwords_are_hashed(hashing: Hashing) -> None:
    async def scene() -> None:
        waiting = [
            future
            for number in range(8)
            if isinstance(future := hashing.check(verifier("mikan", 11), b"%d" % number, "x"), asyncio.Future)
        ]
        turns = 0
        while not all(future.done() for future in waiting):
            await asyncio.sleep(0.001)
            turns += 1
        assert turns > 40  # hashing in the loop would leave it a turn for each of the eight

    asyncio.run(scene())
