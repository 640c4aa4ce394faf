"""A recipient together with the facts of its message, as recording and giving back need them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db.backends.utils import CursorWrapper

from mailadmin.queue.envelopes import Verdict
from mailadmin.queue.times import Parameter, loaded

_SELECT: Final = (
    "SELECT r.id, r.message_id, r.address, r.domain, r.notify, r.orcpt, r.state, r.lease_owner, r.attempts,"
    " r.delay_notified, r.last_reply, m.sender, m.accepted_at, m.size, m.smtputf8, m.eight_bit, m.envid, m.ret,"
    " m.message_id, m.chunked FROM queue_recipient r JOIN queue_message m ON m.id = r.message_id WHERE "
)


@dataclass(frozen=True, slots=True)
class Original:
    """A message whose recipients come to an end; field for field its row."""

    id: int
    sender: str
    accepted_at: datetime
    size: int
    smtputf8: bool
    eight_bit: bool
    envid: str
    ret: str
    message_id: str
    chunked: bool


@dataclass(frozen=True, slots=True)
class Row:
    """A recipient as it stands in the database, and its message."""

    id: int
    address: str
    domain: str
    notify: str
    orcpt: str
    state: str
    lease_owner: str
    attempts: int
    delay_notified: bool
    last_reply: str
    message: Original

    def wants(self, event: str) -> bool:
        """Say whether the sender asked to be told of `event` (SUCCESS, FAILURE or DELAY; RFC 3461 §4.1).

        Without NOTIFY, failures are told and delays may be. The null sender is never told anything (§6.2).
        """
        if not self.message.sender:
            return False
        return event in self.notify.split(",") if self.notify else event != "SUCCESS"


@dataclass(frozen=True, slots=True)
class Told:
    """A recipient with the verdict that the sender may have to be told of."""

    row: Row
    verdict: Verdict
    at: datetime


def rows(cursor: CursorWrapper, condition: str, values: Sequence[Parameter]) -> list[Row]:
    """Return the recipients (alias r) for which `condition` holds, in the order of their ids."""
    cursor.execute(f"{_SELECT}{condition} ORDER BY r.id", values)
    originals: dict[int, Original] = {}
    return [_row(list(record), originals) for record in cursor.fetchall()]


def _row(record: list[Any], originals: dict[int, Original]) -> Row:
    number, message, address, domain, notify, orcpt, state, owner, attempts, notified, reply, *rest = record
    if message not in originals:
        sender, accepted_at, size, smtputf8, eight_bit, envid, ret, message_id, chunked = rest
        originals[message] = Original(
            message, sender, loaded(accepted_at), size, bool(smtputf8), bool(eight_bit), envid, ret, message_id,
            bool(chunked),
        )  # fmt: skip
    return Row(
        number, address, domain, notify, orcpt, state, owner, attempts, bool(notified), reply, originals[message]
    )
