"""Take away what is no longer needed: history that is old enough, and chunks that belong to nothing."""

# ruff: noqa: S608  # statements are composed of this module's constants and placeholders, never of values

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db import connection, transaction

from mailadmin.bodies import services as bodies
from mailadmin.queue.claiming import marks
from mailadmin.queue.envelopes import first_id
from mailadmin.server.models import Server

# An upload does not take this long, whatever the client's patience.
ORPHAN_AGE: Final = timedelta(days=1)
# Messages deleted in one transaction, so that accepting mail never waits long for the write lock of SQLite.
AT_ONCE: Final = 200


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep took away: messages of the history, and large bodies without a message."""

    messages: int
    bodies: int


def sweep(now: datetime) -> Swept:
    """Delete finished messages older than the settings' history, and orphaned chunks older than a day.

    It works in small transactions; one that is cut short is finished by the next.
    """
    days = Server.objects.values_list("history_days", flat=True).get(pk=1)
    before = first_id((now - timedelta(days=days)).timestamp())
    messages = 0
    while count := _forget_some(before):
        messages += count
    return Swept(messages, bodies.sweep(now - ORPHAN_AGE))


def _forget_some(before: int) -> int:
    """Delete up to `AT_ONCE` finished messages with ids below `before`; return how many."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM queue_message WHERE id < %s AND open_recipients = 0 ORDER BY id LIMIT %s", [before, AT_ONCE]
        )
        ids = [row[0] for row in cursor.fetchall()]
        if not ids:
            return 0
        chosen = marks(ids)
        cursor.execute(
            "DELETE FROM queue_attempt WHERE recipient_id IN"
            f" (SELECT id FROM queue_recipient WHERE message_id IN ({chosen}))",
            ids,
        )
        cursor.execute(f"DELETE FROM queue_recipient WHERE message_id IN ({chosen})", ids)
        cursor.execute(f"DELETE FROM queue_message WHERE id IN ({chosen})", ids)
    return len(ids)
