"""Who a session is signed in as (plain values)."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class AccountRow:
    """An account as the database has it at this moment.

    Args:
        id: its primary key.
        address: its login, in normal form.
        verifier: its password's verifier (see `mailadmin.sasl.verifiers`).
        suspended: whether it may not sign in or send now.
        epoch: a session that signed in under another epoch must sign in again.
        patterns: what it may send from (see `mailadmin.accounts.addresses.may_send_as`).
    """

    id: int
    address: str
    verifier: str = field(repr=False)  # no log or traceback shows it
    suspended: bool
    epoch: int
    patterns: frozenset[str]
