"""Tell senders what became of their mail: who is due a notice (RFC 3461 §4.1, §6.2), and the message that carries it.

A notice is an ordinary message from the null sender. It enters the queue in the transaction that made it due, so it is
neither lost nor sent twice, and goes to a mailbox or out by a route like any other.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from mailadmin.accounts.addresses import MAX_DOMAIN, AddressError, normal_domain
from mailadmin.bodies import services as bodies
from mailadmin.queue.envelopes import NewMessage, NewRecipient, Verdict, new_id, queue_id
from mailadmin.queue.notices import Action, Notice, Outcome, header_block, render
from mailadmin.queue.rows import Original, Told
from mailadmin.queue.schedule import Rules
from mailadmin.queue.wording import Kind

# RET=FULL is honoured up to this size (octets); beyond it the header goes back, as RFC 3461 §5.2.9 (e) allows.
MOST_RETURNED: Final = 128 * 1024
# Of a header block, at most this much goes back.
MOST_HEADER: Final = 64 * 1024
_STATUS: Final[dict[Kind, str]] = {"failed": "5.0.0", "delayed": "4.0.0", "delivered": "2.0.0"}


def notice_due(told: Told) -> Kind | None:
    """Return which notice a final verdict makes due.

    A peer that took over RFC 3461's duties tells of success itself (§5.2.2).
    """
    if told.verdict.outcome == "failed":
        return "failed" if told.row.wants("FAILURE") else None
    return "delivered" if told.row.wants("SUCCESS") and not told.verdict.dsn else None


def notices(due: Iterable[tuple[Kind, Told]], *, rules: Rules, now: datetime) -> list[NewMessage]:
    """Return the notices for `due`: one for each message and kind.

    Args:
        due: recipients with the kind of notice that their sender is due.
        rules: for the server's name, and until when it tries.
        now: the date of the notices.
    """
    grouped: dict[tuple[int, Kind], list[Told]] = {}
    for kind, told in due:
        grouped.setdefault((told.row.message.id, kind), []).append(told)
    previous, made = 0, []
    for (_, kind), group in grouped.items():
        previous = new_id(now.timestamp(), previous)
        made.append(_message(previous, kind, group, rules, now))
    return made


def _message(number: int, kind: Kind, told: Sequence[Told], rules: Rules, now: datetime) -> NewMessage:
    """Return the message that carries the notice of `kind` to the sender of the original."""
    original = told[0].row.message
    whole = kind == "failed" and original.ret == "FULL" and original.size <= MOST_RETURNED
    body = render(
        Notice(
            kind=kind,
            hostname=rules.hostname,
            queue_id=queue_id(original.id),
            notice_id=queue_id(number),
            boundary=f"=_{secrets.token_hex(16)}",
            to=original.sender,
            now=now,
            arrived_at=original.accepted_at,
            envid=original.envid,
            message_id=original.message_id,
            smtputf8=original.smtputf8,
            original=_returned(original, whole=whole),
            whole=whole,
            outcomes=tuple(_outcome(kind, one, rules) for one in told),
        )
    )
    return NewMessage(
        id=number,
        sender="",
        recipients=[NewRecipient(original.sender, _domain(original.sender), notify="NEVER")],
        size=len(body),
        accepted_at=now,
        body=body,
        message_id=f"<{queue_id(number)}@{rules.hostname}>",
        smtputf8=not original.sender.isascii(),
        eight_bit=not body.isascii(),
        listener="notice",
    )


def _outcome(kind: Kind, told: Told, rules: Rules) -> Outcome:
    action: Action = kind
    if kind == "delivered" and told.verdict.stage != "mailbox" and told.row.domain not in rules.local_domains:
        action = "relayed"  # RFC 3464 §2.3.3: into an environment that may not send notices
    verdict = told.verdict
    return Outcome(
        address=told.row.address,
        action=action,
        status=_status(kind, verdict),
        at=told.at,
        orcpt=told.row.orcpt,
        peer=verdict.peer if verdict.code else "",  # a folder's path is nobody's business
        code=verdict.code,
        reply=verdict.reply,
        retry_until=told.row.message.accepted_at + rules.give_up_after if kind == "delayed" else None,
    )


def _status(kind: Kind, verdict: Verdict) -> str:
    """Return the status of a verdict, or the general one where a delivery brought none that fits."""
    if kind == "delivered":
        return verdict.enhanced if verdict.enhanced.startswith("2.") else _STATUS[kind]
    return verdict.enhanced or _STATUS[kind]


def _returned(original: Original, *, whole: bool) -> bytes:
    """Return the octets of `original` that go back; nothing, when it has no body any more."""
    try:
        octets = bodies.read(original.id)
        if whole:
            return b"".join(octets)
        block = header_block(next(octets, b""))
    except bodies.BodyMissing:
        return b""
    return block if len(block) <= MOST_HEADER else block[:MOST_HEADER].rpartition(b"\r\n")[0] + b"\r\n"


def _domain(sender: str) -> str:
    """Return the domain of `sender` in normal form; what is none (an address literal) stays, cut to the column."""
    domain = sender.rpartition("@")[2]
    try:
        return normal_domain(domain)
    except AddressError:
        return domain.lower()[:MAX_DOMAIN]
