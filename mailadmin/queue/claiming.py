"""Claim what is due, under a lease.

Whoever changes recipients of a message takes the lock of the message's row first (`lock`), so two processes never wait
for each other in a circle. A claim never waits: a message that someone else works on is passed over until the next
one. On SQLite the transaction holds the one write lock and nothing of this matters.
"""

# ruff: noqa: S608  # statements are composed of this module's constants and placeholders, never of values

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from mailadmin.durability import lazy
from mailadmin.queue.envelopes import ClaimedMessage, ClaimedRecipient
from mailadmin.queue.models import State
from mailadmin.queue.times import Parameter, loaded, stored

_DUE: Final = f"state = '{State.WAITING.value}' AND next_attempt_at <= %s"
# The same for recipients of messages that are named: SQLite, which has no statistics, would otherwise walk through all
# that is due instead of going by the message.
_DUE_OF_MESSAGE: Final = f"(state || '') = '{State.WAITING.value}' AND next_attempt_at <= %s"
_TO_WAITING: Final = f"SET state = '{State.WAITING.value}', lease_owner = '', lease_until = NULL"
_LEASED: Final = f"state = '{State.DELIVERING.value}'"


@dataclass(frozen=True, slots=True)
class Scope:
    """Which recipients' domains a claim may take: those in `only` (None: any), and none in `without`."""

    only: Collection[str] | None = None
    without: Collection[str] = ()

    def condition(self, column: str = "domain") -> tuple[str, list[Parameter]]:
        """Return the scope as SQL that follows another condition, and its parameters."""
        text, values = "", list[Parameter]()
        if self.only is not None:
            text += f" AND {column} IN ({marks(self.only)})" if self.only else " AND 1 = 0"
            values += self.only
        if self.without:
            text += f" AND {column} NOT IN ({marks(self.without)})"
            values += self.without
        return text, values


EVERYWHERE: Final = Scope()


def marks(values: Collection[Parameter]) -> str:
    """Return one placeholder for each of `values`, for an IN list."""
    return ", ".join(["%s"] * len(values))


def lock(cursor: CursorWrapper, messages: Collection[int], *, wait: bool = True) -> list[int]:
    """Lock the rows of `messages`, in the order of their ids; return those that exist and were had.

    Args:
        cursor: one on the default alias, inside a transaction.
        messages: ids.
        wait: False passes over rows that another process has locked.
    """
    if not messages:
        return []
    ids = sorted(messages)
    text = f"SELECT id FROM queue_message WHERE id IN ({marks(ids)}) ORDER BY id"
    if connection.vendor == "postgresql":
        text += " FOR NO KEY UPDATE" + ("" if wait else " SKIP LOCKED")
    cursor.execute(text, ids)
    return [row[0] for row in cursor.fetchall()]


def claim(
    *, owner: str, now: datetime, lease: timedelta, limit: int, scope: Scope = EVERYWHERE
) -> list[ClaimedMessage]:
    """Claim about `limit` recipients that are due, oldest first, grouped by message.

    All due recipients of a message in `scope` are claimed together, so the last message may exceed `limit`. Waiting
    mail of a suspended account is held instead. Leases that ran out count as due.

    Args:
        owner: who claims, ``node:pid``; `mailadmin.queue.recording.record` must be called with the same.
        now: the present.
        lease: after this long without `renew`, others may claim the same.
        limit: how many recipients.
        scope: which domains.

    Returns:
        The messages in the order they became due; empty when nothing is, and then no write lock was taken.
    """
    if not _anything_due(now, scope):
        return []
    # Losing a claim to a power cut is no loss: the mail is due again.
    with lazy(), connection.cursor() as cursor:
        _lapse(cursor, "lease_until <= %s", [stored(now)])
        messages = _due_messages(cursor, now, limit, scope)
        if not messages:
            return []
        _hold_suspended(cursor, messages, now)
        recipients = _take(cursor, messages, owner=owner, now=now, until=now + lease, scope=scope)
        if not recipients:
            return []
        cursor.execute(
            "SELECT id, sender, size, accepted_at, smtputf8, eight_bit, envid, ret, chunked, account_id"
            f" FROM queue_message WHERE id IN ({marks(recipients)})",
            list(recipients),
        )
        rows = {row[0]: row for row in cursor.fetchall()}
    return [_claimed(rows[message], recipients[message]) for message in messages if message in recipients]


def renew(*, owner: str, recipients: Collection[int], now: datetime, lease: timedelta) -> int:
    """Prolong the leases of `owner` on `recipients` to `now` + `lease`; return how many it still holds."""
    if not recipients:
        return 0
    with lazy(), connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE queue_recipient SET lease_until = %s WHERE id IN ({marks(recipients)})"
            f" AND {_LEASED} AND lease_owner = %s",
            [stored(now + lease), *recipients, owner],
        )
        return int(cursor.rowcount)


def let_go(*, owner: str, recipients: Collection[int]) -> int:
    """Give recipients back that `owner` claimed and did not try (it shuts down); return how many."""
    if not recipients:
        return 0
    with transaction.atomic(), connection.cursor() as cursor:
        return _lapse(cursor, f"lease_owner = %s AND id IN ({marks(recipients)})", [owner, *recipients])


def lease_owners() -> list[str]:
    """Return who holds leases, ``node:pid`` each."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT DISTINCT lease_owner FROM queue_recipient WHERE {_LEASED}")
        return [row[0] for row in cursor.fetchall()]


def let_go_all(owners: Collection[str]) -> int:
    """Free what `owners` had claimed, who are no more; return how many recipients.

    A runner calls this at its start, so mail does not wait for the leases of the one that was killed.
    """
    if not owners:
        return 0
    with transaction.atomic(), connection.cursor() as cursor:
        return _lapse(cursor, f"lease_owner IN ({marks(owners)})", list(owners))


def let_go_but(*, owner: str, known: Collection[int]) -> int:
    """Free what was claimed for `owner` but the recipients `known` to it; return how many.

    When the database goes away in the midst of a claim, the claim may have been committed and not been heard of.
    """
    condition = f"lease_owner = %s AND id NOT IN ({marks(known)})" if known else "lease_owner = %s"
    with transaction.atomic(), connection.cursor() as cursor:
        return _lapse(cursor, condition, [owner, *known])


def next_due(scope: Scope = EVERYWHERE) -> datetime | None:
    """Return when the next recipient in `scope` is due (it may be past), or None when none waits."""
    condition, values = scope.condition()
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT next_attempt_at FROM queue_recipient WHERE state = '{State.WAITING.value}'{condition}"
            " ORDER BY next_attempt_at LIMIT 1",
            values,
        )
        row = cursor.fetchone()
    return loaded(row[0]) if row else None


def _anything_due(now: datetime, scope: Scope) -> bool:
    """Say whether a claim would find something, without the write lock."""
    condition, values = scope.condition()
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT EXISTS (SELECT 1 FROM queue_recipient WHERE {_DUE}{condition})"
            f" OR EXISTS (SELECT 1 FROM queue_recipient WHERE {_LEASED} AND lease_until <= %s)",
            [stored(now), *values, stored(now)],
        )
        return bool(cursor.fetchone()[0])


def _lapse(cursor: CursorWrapper, condition: str, values: Sequence[Parameter]) -> int:
    """Put claimed recipients for which `condition` holds back to waiting; return how many."""
    ids = f"SELECT id FROM queue_recipient WHERE {_LEASED} AND {condition}"
    if connection.vendor == "postgresql":
        ids += " FOR UPDATE SKIP LOCKED"  # whoever holds the row is recording it
    cursor.execute(f"UPDATE queue_recipient {_TO_WAITING} WHERE id IN ({ids})", values)
    return int(cursor.rowcount)


def _due_messages(cursor: CursorWrapper, now: datetime, limit: int, scope: Scope) -> list[int]:
    """Return the messages of the `limit` recipients that have been due longest, locked, in that order."""
    condition, values = scope.condition()
    cursor.execute(
        f"SELECT message_id FROM queue_recipient WHERE {_DUE}{condition} ORDER BY next_attempt_at LIMIT %s",
        [stored(now), *values, limit],
    )
    ordered = list(dict.fromkeys(row[0] for row in cursor.fetchall()))
    had = set(lock(cursor, ordered, wait=False))
    return [message for message in ordered if message in had]


def _hold_suspended(cursor: CursorWrapper, messages: Sequence[int], now: datetime) -> None:
    """Hold what is due of `messages` whose account is suspended: it may have been while they were accepted."""
    cursor.execute(
        "SELECT m.id FROM queue_message m JOIN accounts_account a ON a.id = m.account_id"
        f" WHERE m.id IN ({marks(messages)}) AND a.suspended_at IS NOT NULL",
        list(messages),
    )
    suspended = [row[0] for row in cursor.fetchall()]
    if suspended:
        cursor.execute(
            f"UPDATE queue_recipient SET state = '{State.HELD.value}', hold_reason = 'account'"
            f" WHERE message_id IN ({marks(suspended)}) AND {_DUE_OF_MESSAGE}",
            [*suspended, stored(now)],
        )


def _take(
    cursor: CursorWrapper, messages: Sequence[int], *, owner: str, now: datetime, until: datetime, scope: Scope
) -> dict[int, list[ClaimedRecipient]]:
    """Claim what is due of `messages`; return the recipients by message, in the order they were named."""
    condition, values = scope.condition("(domain || '')")
    cursor.execute(
        f"UPDATE queue_recipient SET state = '{State.DELIVERING.value}', lease_owner = %s, lease_until = %s"
        f" WHERE message_id IN ({marks(messages)}) AND {_DUE_OF_MESSAGE}{condition}"
        " RETURNING message_id, id, address, domain, notify, orcpt, attempts, delay_notified",
        [owner, stored(until), *messages, stored(now), *values],
    )
    taken: dict[int, list[ClaimedRecipient]] = {}
    for message, number, address, domain, notify, orcpt, attempts, delay_notified in sorted(cursor.fetchall()):
        taken.setdefault(message, []).append(
            ClaimedRecipient(number, address, domain, notify, orcpt, attempts, bool(delay_notified))
        )
    return taken


def _claimed(row: Sequence[Any], recipients: Sequence[ClaimedRecipient]) -> ClaimedMessage:
    """Return what the runner is given of a message."""
    number, sender, size, accepted_at, smtputf8, eight_bit, envid, ret, chunked, account = row
    return ClaimedMessage(
        id=number,
        sender=sender,
        size=size,
        accepted_at=loaded(accepted_at),
        smtputf8=bool(smtputf8),
        eight_bit=bool(eight_bit),
        envid=envid,
        ret=ret,
        chunked=bool(chunked),
        account=account,
        recipients=tuple(recipients),
    )
