"""Mail for tests of the queue: messages to enqueue, verdicts to record, and the rows they come to."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import count
from random import Random
from typing import Final

from mailadmin.bodies import services as bodies
from mailadmin.queue import services
from mailadmin.queue.envelopes import ClaimedMessage, NewMessage, NewRecipient, Outcome, Result, Verdict, first_id
from mailadmin.queue.models import Message, Recipient
from mailadmin.queue.services import Rules
from tests.cast import BECKY, DOMAIN

FRIEND: Final = "friend@example.net"
BODY: Final = b"From: <ichiro@example.org>\r\nSubject: =?utf-8?B?44GT44KT?=\r\n\r\nbody\r\n"
RULES: Final = Rules("mail.example.org", timedelta(days=5), timedelta(hours=4), frozenset({DOMAIN}))
LEASE: Final = timedelta(minutes=2)
OWNER: Final = "one:1"
_numbers = count()


def chance(seed: int = 1) -> Random:
    """Return a source of chance that is the same in every run."""
    return Random(seed)  # noqa: S311  # no secret


def fresh_id(now: datetime) -> int:
    """Return an id of a second before `now`, as an accepting process makes them; notices of `now` have higher ones."""
    return first_id(now.timestamp() - 1) + next(_numbers)


def a_message(
    now: datetime,
    *recipients: str | NewRecipient,
    sender: str = BECKY.address,
    body: bytes = BODY,
    chunks: Sequence[bytes] = (),
    account: int | None = None,
    message_id: str = "<one@example.org>",
    envid: str = "",
    ret: str = "",
    smtputf8: bool = False,
) -> NewMessage:
    """Return a message to `recipients` (a friend elsewhere, when none is named); `chunks` are written and sealed."""
    number = fresh_id(now)
    for sequence, chunk in enumerate(chunks):
        bodies.put_chunk(number, sequence, chunk, now)
    if chunks:
        bodies.seal(number)
    return NewMessage(
        id=number,
        sender=sender,
        recipients=[_recipient(each) for each in recipients or (FRIEND,)],
        size=sum(map(len, chunks)) or len(body),
        accepted_at=now,
        body=b"" if chunks else body,
        chunks=len(chunks),
        account=account,
        message_id=message_id,
        envid=envid,
        ret=ret,
        smtputf8=smtputf8,
        listener="submission",
    )


def _recipient(given: str | NewRecipient) -> NewRecipient:
    return given if isinstance(given, NewRecipient) else NewRecipient(given, given.rpartition("@")[2].lower())


def put(now: datetime, *recipients: str | NewRecipient, **more: object) -> int:
    """Enqueue a message (see `a_message`) and return its id."""
    message = a_message(now, *recipients, **more)  # type: ignore[arg-type]  # those of a_message
    services.enqueue([message], now=now)
    return message.id


def claim(now: datetime, *, owner: str = OWNER, limit: int = 100) -> list[ClaimedMessage]:
    """Claim what is due."""
    return services.claim(owner=owner, now=now, lease=LEASE, limit=limit)


def a_verdict(outcome: Outcome, code: int = 0, *, reply: str = "", stage: str = "rcpt", dsn: bool = False) -> Verdict:
    """Return a verdict as a delivery agent gives it."""
    codes = {"delivered": (250, "2.0.0"), "deferred": (451, "4.3.0"), "failed": (550, "5.1.1")}
    usual, enhanced = codes[outcome]
    return Verdict(
        outcome, stage, code or usual, enhanced, reply or f"it is {outcome}", "mx.example.net[192.0.2.1]:25", dsn=dsn
    )


def record(
    now: datetime, claimed: Sequence[ClaimedMessage], verdict: Verdict, *, owner: str = OWNER, rules: Rules = RULES
) -> int:
    """Record the same verdict for everyone who was claimed."""
    results = [Result(recipient.id, verdict, now) for message in claimed for recipient in message.recipients]
    return services.record(results, owner=owner, now=now, rules=rules, random=chance())


def deliver(now: datetime, outcome: Outcome = "delivered") -> int:
    """Claim all that is due, and record the same outcome for it."""
    return record(now, claim(now), a_verdict(outcome))


def states(message: int) -> list[str]:
    """Return the states of a message's recipients."""
    return list(Recipient.objects.filter(message=message).order_by("pk").values_list("state", flat=True))


def notices() -> list[tuple[Message, bytes]]:
    """Return the notices in the queue, with their octets while these are there."""
    found = Message.objects.filter(sender="").order_by("pk")
    return [(message, b"".join(bodies.read(message.pk)) if message.open_recipients else b"") for message in found]
