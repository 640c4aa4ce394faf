"""When to try again, when to tell the sender of a delay, and when to give up (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Final

# RFC 5321 §4.5.4.1 wants longer waits after the first few; greylisting wants the first ones short.
FIRST_WAIT: Final = timedelta(minutes=5)
LONGEST_WAIT: Final = timedelta(hours=4)
# Each wait is longer or shorter by up to this part, so that mail which failed together does not come back together.
JITTER: Final = 0.1


@dataclass(frozen=True, slots=True)
class Rules:
    """What the server's settings say of undelivered mail.

    Args:
        hostname: this server's name, in notices.
        give_up_after: the age at which mail goes back to its sender.
        delay_notice_after: the age at which the sender is told, once, that mail is late.
        local_domains: domains whose mailboxes are here (in a notice: delivered, and not relayed).
    """

    hostname: str
    give_up_after: timedelta
    delay_notice_after: timedelta
    local_domains: frozenset[str] = frozenset()


def wait_after(attempts: int, random: Random) -> timedelta:
    """Return how long to wait after the attempt that was number `attempts` (from 1): 5 min, doubling, at most 4 h."""
    doublings = min(max(attempts, 1) - 1, 10)
    steady: timedelta = min(FIRST_WAIT * 2**doublings, LONGEST_WAIT)
    return steady * random.uniform(1 - JITTER, 1 + JITTER)


def next_attempt(
    *, accepted_at: datetime, attempts: int, now: datetime, rules: Rules, random: Random
) -> datetime | None:
    """Return when to try again after attempt number `attempts` failed at `now`, or None to give up.

    The last attempt falls on the moment the patience ends, so no one waits longer for the bad news than the settings
    say.
    """
    end = accepted_at + rules.give_up_after
    return None if now >= end else min(now + wait_after(attempts, random), end)
