"""Put accepted messages into the queue: the commit that makes a 250 true.

This is the hot path of the daemon's writer thread: plain statements, one executemany per table for a whole group of
messages, one transaction, so one wait for the disk.
"""

# ruff: noqa: S608  # statements are composed of this module's constants and placeholders, never of values

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from mailadmin.queue.envelopes import NewMessage
from mailadmin.queue.models import State
from mailadmin.queue.times import Parameter, stored

# The channel of PostgreSQL's NOTIFY that wakes every runner.
CHANNEL: Final = "mailadmin_queue"

# An account that was removed since MAIL leaves its message without one, instead of failing the whole group.
_MESSAGE: Final = (
    "INSERT INTO queue_message (id, account_id, sender, message_id, size, accepted_at, smtputf8, eight_bit, envid, ret,"
    " listener, client, helo, mechanism, tls, chunked, open_recipients) VALUES"
    " (%s, (SELECT id FROM accounts_account WHERE id = %s), %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
)
_BODY: Final = "INSERT INTO queue_messagebody (message_id, data) VALUES (%s, %s)"
_RECIPIENT: Final = (
    "INSERT INTO queue_recipient (message_id, address, domain, notify, orcpt, state, next_attempt_at, lease_until,"
    " lease_owner, attempts, hold_reason, delay_notified, last_reply, finished_at) VALUES"
    f" (%s, %s, %s, %s, %s, '{State.WAITING.value}', %s, NULL, '', 0, '', %s, '', NULL)"
)


def enqueue(messages: Sequence[NewMessage], *, now: datetime) -> None:
    """Commit `messages` with their bodies and recipients, in one transaction; they are due at once.

    When this returns, they are on disk. Chunks of large bodies must have been sealed before
    (`mailadmin.bodies.services.seal`). Mail of an account that was suspended meanwhile is taken all the same, since its
    250 may be under way; the claim holds it.

    Args:
        messages: a group of any length, without limits on its total size.
        now: when they are due.

    Raises:
        IntegrityError: an id is taken; nothing of the group was stored.
        RuntimeError: called inside a transaction, whose end would decide about the 250.
    """
    if not messages:
        return
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        insert(cursor, messages, now=now)


def insert(cursor: CursorWrapper, messages: Sequence[NewMessage], *, now: datetime) -> None:
    """Insert `messages` by `cursor`, inside the caller's transaction (arguments as of `enqueue`)."""
    due = stored(now)
    cursor.executemany(_MESSAGE, [_message_row(message) for message in messages])
    bodies = [(message.id, message.body) for message in messages if not message.chunks]
    if bodies:
        cursor.executemany(_BODY, bodies)
    cursor.executemany(
        _RECIPIENT,
        [
            (message.id, recipient.address, recipient.domain, recipient.notify, recipient.orcpt, due, False)
            for message in messages
            for recipient in message.recipients
        ],
    )
    wake(cursor)


def wake(cursor: CursorWrapper) -> None:
    """Tell the runners, at the commit, that something is due (SQLite: they see the file change)."""
    if connection.vendor == "postgresql":
        cursor.execute("SELECT pg_notify(%s, '')", [CHANNEL])


def _message_row(message: NewMessage) -> tuple[Parameter, ...]:
    """Return the row of `message`; what the client chose freely is cut to the width of its column."""
    return (
        message.id,
        message.account,
        message.sender,
        message.message_id[:255],
        message.size,
        stored(message.accepted_at),
        message.smtputf8,
        message.eight_bit,
        message.envid[:100],
        message.ret,
        message.listener,
        message.client,
        message.helo[:255],
        message.mechanism,
        message.tls[:64],
        message.chunks > 0,
        len(message.recipients),
    )
