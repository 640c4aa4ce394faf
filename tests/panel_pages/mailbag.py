"""Messages in the queue in every state, made by the services that the daemon calls."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from django.utils import timezone

from mailadmin.accounts.models import Account
from mailadmin.queue import services as queue
from mailadmin.queue.envelopes import NewMessage, NewRecipient, Result, Verdict, new_id, parse_queue_id, queue_id

OWNER: Final = "test:1"
PEER: Final = "mx.example.net[192.0.2.25]:25"
TLS: Final = "TLSv1.3 TLS_AES_256_GCM_SHA384"
DELIVERED: Final = Verdict("delivered", "data", 250, "2.0.0", "queued as 4711", PEER, TLS, dsn=True)
GREYLISTED: Final = Verdict("deferred", "rcpt", 450, "4.2.0", "greylisted, come back later", PEER, TLS)
UNKNOWN: Final = Verdict("failed", "rcpt", 550, "5.1.1", "no such user", PEER, TLS)


def accept(
    account: Account,
    to: Sequence[str],
    now: datetime,
    *,
    helo: str = "client.test",
    message_id: str = "",
    sender: str | None = None,
) -> str:
    """Put a message into the queue and return its queue id."""
    number = new_id(now.timestamp(), 0)
    message = NewMessage(
        id=number,
        sender=account.address if sender is None else sender,
        recipients=[NewRecipient(address, address.rpartition("@")[2]) for address in to],
        size=2048,
        accepted_at=now,
        body=b"Subject: test\r\n\r\nHello\r\n",
        account=account.pk,
        message_id=message_id or f"<{number}@client.test>",
        listener="submission",
        client="192.0.2.7",
        helo=helo,
        mechanism="PLAIN",
        tls=TLS,
    )
    queue.enqueue([message], now=now)
    return queue_id(number)


def attempt(now: datetime, **verdicts: Verdict) -> None:
    """Try everything that is due, with a verdict by the local part of the recipient's address (else: delivered)."""
    claimed = queue.claim(owner=OWNER, now=now, lease=timedelta(minutes=5), limit=1000)
    results = [
        Result(recipient.id, verdicts.get(recipient.address.partition("@")[0], DELIVERED), now)
        for message in claimed
        for recipient in message.recipients
    ]
    queue.record(results, owner=OWNER, now=now, rules=queue.rules())


def one_in_each_state(account: Account) -> dict[str, str]:
    """Return the queue ids of one message in each state, by state."""
    now = timezone.now()
    ids = {"sent": accept(account, ["sent@example.net"], now - timedelta(hours=3))}
    ids["failed"] = accept(account, ["failed@example.net"], now - timedelta(hours=2))
    ids["waiting"] = accept(account, ["waiting@example.net"], now - timedelta(hours=1))
    attempt(now - timedelta(minutes=59), failed=UNKNOWN, waiting=GREYLISTED)
    ids["held"] = accept(account, ["held@example.net"], now)
    ids["cancelled"] = accept(account, ["cancelled@example.net"], now)
    for state, act in (("held", queue.hold), ("cancelled", queue.cancel)):
        number = parse_queue_id(ids[state])
        assert number is not None
        act(queue.Selection(messages=[number]), actor="test", now=now)
    return ids
