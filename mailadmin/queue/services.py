"""The doors of the queue: every change of a message's or recipient's state goes through one of these functions.

`mailadmin.queue.states` has the table of the states and its theory; the modules named here do the work.
"""

from __future__ import annotations

from mailadmin.queue.accepting import CHANNEL, enqueue
from mailadmin.queue.claiming import EVERYWHERE, Scope, claim, let_go, let_go_all_but, next_due, renew

__all__ = [
    "CHANNEL",
    "EVERYWHERE",
    "Scope",
    "claim",
    "enqueue",
    "let_go",
    "let_go_all_but",
    "next_due",
    "renew",
]
