"""The waits between tries: short at first, then long, never the same for everybody, and at an end some day."""

from __future__ import annotations

from datetime import timedelta
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from mailadmin.queue.schedule import FIRST_WAIT, JITTER, LONGEST_WAIT, next_attempt, wait_after
from tests.ground.clock import START
from tests.queue.mail import RULES, chance


class _Middle(Random):
    """Chance at its mean."""

    def uniform(self, a: float, b: float) -> float:
        return (a + b) / 2


def test_waits_double_from_five_minutes_to_four_hours() -> None:
    minutes = [wait_after(attempts, _Middle()) / timedelta(minutes=1) for attempts in range(1, 9)]
    assert minutes == [5, 10, 20, 40, 80, 160, 240, 240]


@given(attempts=st.integers(0, 10_000), seed=st.integers())
def test_every_wait_is_within_its_bounds(attempts: int, seed: int) -> None:
    wait = wait_after(attempts, chance(seed))
    assert FIRST_WAIT * (1 - JITTER) <= wait <= LONGEST_WAIT * (1 + JITTER)


def test_mail_that_failed_together_does_not_come_back_together() -> None:
    assert len({wait_after(3, chance(seed)) for seed in range(50)}) == 50


def test_the_last_try_falls_on_the_end_of_the_patience() -> None:
    end = START + RULES.give_up_after
    due = next_attempt(accepted_at=START, attempts=30, now=end - timedelta(minutes=1), rules=RULES, random=chance())
    assert due == end


def test_after_the_patience_there_is_no_other_try() -> None:
    end = START + RULES.give_up_after
    assert next_attempt(accepted_at=START, attempts=30, now=end, rules=RULES, random=chance()) is None
