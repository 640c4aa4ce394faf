"""The doors of the queue: every change of a message's or recipient's state goes through one of these functions.

`mailadmin.queue.states` has the table of the states and its theory; the modules named here do the work.
"""

from __future__ import annotations

from mailadmin.queue.accepting import CHANNEL, enqueue
from mailadmin.queue.browse import counts
from mailadmin.queue.claiming import (
    EVERYWHERE,
    Scope,
    claim,
    lease_owners,
    let_go,
    let_go_all,
    let_go_but,
    next_due,
    renew,
)
from mailadmin.queue.handling import (
    Selection,
    cancel,
    cancel_account,
    give_back,
    hold,
    hold_account,
    pause,
    release,
    release_account,
    resume,
    retry,
    rules,
)
from mailadmin.queue.recording import record
from mailadmin.queue.schedule import Rules
from mailadmin.queue.sweeping import Swept, sweep

__all__ = [
    "CHANNEL",
    "EVERYWHERE",
    "Rules",
    "Scope",
    "Selection",
    "Swept",
    "cancel",
    "cancel_account",
    "claim",
    "counts",
    "enqueue",
    "give_back",
    "hold",
    "hold_account",
    "lease_owners",
    "let_go",
    "let_go_all",
    "let_go_but",
    "next_due",
    "pause",
    "record",
    "release",
    "release_account",
    "renew",
    "resume",
    "retry",
    "rules",
    "sweep",
]
