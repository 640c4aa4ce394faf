"""The life of a recipient, as a table.

A recipient is born waiting, in the transaction that makes the 250 true. A runner claims it (delivering, under a lease
that it renews), and what the far side says ends it (delivered, failed) or sends it back (waiting, later). A lease that
runs out, because the runner died, sends it back as well: the delivery may then happen twice, and never not at all.
People hold, release, retry, cancel and give back; they reach waiting and held recipients only, since what is being
delivered cannot be called back.

Each line of `TRANSITIONS` is one event; each event happens inside one transaction, by a statement whose WHERE names the
states it may start from. So two processes that want the same recipient cannot both have it, and a process that comes
late (its lease was lost) changes nothing. docs/queue.md draws this table and says what a crash between two rows leaves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from mailadmin.queue.models import FINAL_STATES, State

Event = Literal[
    "claim", "suspend", "lapse", "deliver", "defer", "fail", "expire", "hold", "release", "retry", "cancel", "give_back"
]


@dataclass(frozen=True, slots=True)
class Transition:
    """From which states an event may start, and to which one it leads."""

    sources: tuple[State, ...]
    target: State

    @property
    def is_final(self) -> bool:
        """Whether the recipient is done with after it, so that the body may be dropped."""
        return self.target in FINAL_STATES


TRANSITIONS: Final[Mapping[Event, Transition]] = {
    # by the runner
    "claim": Transition((State.WAITING,), State.DELIVERING),
    "suspend": Transition((State.WAITING,), State.HELD),  # the sender's account is suspended
    "lapse": Transition((State.DELIVERING,), State.WAITING),  # the lease ran out, or its owner is gone
    "deliver": Transition((State.DELIVERING,), State.DELIVERED),
    "defer": Transition((State.DELIVERING,), State.WAITING),
    "fail": Transition((State.DELIVERING,), State.FAILED),
    "expire": Transition((State.DELIVERING,), State.FAILED),
    # by people
    "hold": Transition((State.WAITING,), State.HELD),
    "release": Transition((State.HELD,), State.WAITING),
    "retry": Transition((State.WAITING,), State.WAITING),
    "cancel": Transition((State.WAITING, State.HELD), State.CANCELLED),
    "give_back": Transition((State.WAITING, State.HELD), State.FAILED),
}
