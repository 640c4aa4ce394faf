"""Play the household back into an empty installation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTPUTF8
from typing import Final

from mailadmin.accounts import services as accounts
from mailadmin.accounts.models import Account
from mailadmin.activity import services as activity
from mailadmin.panel.demonstration.household import (
    DOMAIN,
    HANAKO,
    HOSTNAME,
    ICHIRO,
    MEMBERS,
    REMARKABLE,
    SCANNER,
    SMARTHOST,
    SVEN,
    TAKEN,
    Member,
    Sent,
    routine,
)
from mailadmin.queue import services as queue
from mailadmin.queue.envelopes import NewMessage, NewRecipient, Result, SignInEvent, Verdict, new_id
from mailadmin.queue.services import Selection
from mailadmin.routing import services as routing
from mailadmin.routing.services import SmarthostInput, WayOut
from mailadmin.server import setup

OWNER: Final = "demonstration:0"
SINCE: Final = timedelta(days=10)
# Bodies stay small whatever size a message says it has: nobody reads them here.
LARGEST_BODY: Final = 4000  # octets


class Playback:
    """Sends and delivers in the order of time, as the daemon would have done."""

    def __init__(self, now: datetime, people: dict[str, Account]) -> None:
        self._now = now
        self._people = people
        self._previous = 0
        self._plans: dict[tuple[int, str], list[Verdict]] = {}

    def play(self, script: list[Sent]) -> dict[str, int]:
        """Play the script up to now; return the message ids by subject."""
        ids: dict[str, int] = {}
        for sent in sorted(script, key=lambda each: each.ago, reverse=True):
            at = self._now - sent.ago
            self._deliver_until(at)
            ids[sent.subject] = self._send(sent, at)
        self._deliver_until(self._now - timedelta(seconds=5))
        return ids

    def _send(self, sent: Sent, at: datetime) -> int:
        self._previous = number = new_id(at.timestamp(), self._previous)
        body = _body(sent, at)
        recipients = [_recipient(address) for address in sent.to]
        for position, recipient in enumerate(recipients):
            # Several tries of one recipient, or one each of several.
            alone = len(recipients) == 1
            plan = sent.tries if alone else sent.tries[min(position, len(sent.tries) - 1) :][:1]
            self._plans[number, recipient.address] = [*plan]
        message = NewMessage(
            id=number,
            sender=sent.by.address,
            recipients=recipients,
            size=sent.size,
            accepted_at=at,
            body=body,
            account=self._people[sent.by.key].pk,
            message_id=f"<{number:x}@{sent.by.helo.strip('[]').lower()}>",
            smtputf8=not all(address.isascii() for address in sent.to),
            listener=sent.by.listener,
            client=sent.by.client,
            helo=sent.by.helo,
            mechanism=sent.by.mechanism,
            tls=sent.by.tls,
        )
        queue.enqueue([message], now=at)
        return number

    def _deliver_until(self, end: datetime) -> None:
        while (due := queue.next_due()) is not None and due <= end:
            claimed = queue.claim(owner=OWNER, now=due, lease=timedelta(minutes=5), limit=50)
            at = due + timedelta(seconds=1.4)
            results = [
                Result(recipient.id, self._verdict(message.id, recipient.address), at)
                for message in claimed
                for recipient in message.recipients
            ]
            if not results:
                return
            queue.record(results, owner=OWNER, now=at, rules=queue.rules())

    def _verdict(self, message: int, address: str) -> Verdict:
        plan = self._plans.get((message, address))
        if plan is None:  # a notice to somebody here
            return _kept(address)
        verdict = plan.pop(0) if len(plan) > 1 else plan[0]
        return _kept(address) if verdict.outcome == "delivered" and address.endswith(f"@{DOMAIN}") else verdict


def _kept(address: str) -> Verdict:
    folder = f"mail/{DOMAIN}/{address.partition('@')[0]}"
    return replace(TAKEN, stage="mailbox", code=0, reply="Written to the mailbox.", peer=folder, tls="")


def _recipient(address: str) -> NewRecipient:
    domain = address.rpartition("@")[2].encode("idna").decode()
    return NewRecipient(address, domain)


def _body(sent: Sent, at: datetime) -> bytes:
    message = EmailMessage()
    message["From"] = f"{sent.by.name} <{sent.by.address}>"
    message["To"] = ", ".join(sent.to)
    message["Subject"] = sent.subject
    message["Date"] = at
    message.set_content(f"{sent.subject}\n")
    return message.as_bytes(policy=SMTPUTF8.clone(linesep="\r\n"))[:LARGEST_BODY]


def fill(now: datetime, password: str) -> None:
    """Do the first run and ten days of life in an installation that has nothing yet.

    Args:
        now: the end of the ten days.
        password: everybody's.

    Raises:
        ValidationError: the server is set up already.
    """
    begin = now - SINCE
    smarthost = SmarthostInput(SMARTHOST, 587, "starttls", "sato-2291", password)
    setup.run(
        now=begin,
        actor="first run",
        hostname=HOSTNAME,
        domain=DOMAIN,
        administrator=HANAKO.address,
        administrator_password=password,
        way_out=WayOut(
            "smarthost", (smarthost, SmarthostInput("smtp2.provider.example", 465, "implicit", "sato-2291", password))
        ),
    )
    routing.set_route(actor=HANAKO.address, now=begin + timedelta(hours=1), pattern="school.example", via="mx")
    people = _people(begin, password)
    activity.add_sign_ins(sorted(_sign_ins(now, people), key=lambda event: event.at))
    ids = Playback(now, people).play([*routine(), *REMARKABLE])
    accounts.suspend(people[SVEN.key], actor=HANAKO.address, now=now - timedelta(days=2))
    queue.hold(Selection(messages=[ids["Happy birthday!"]]), actor=HANAKO.address, now=now - timedelta(minutes=12))


def _people(begin: datetime, password: str) -> dict[str, Account]:
    """Add everybody but the administrator, whom the first run made, and name them all."""
    people: dict[str, Account] = {}
    administrator = Account.objects.get(address=HANAKO.address)
    accounts.edit(administrator, actor="first run", now=begin, name=HANAKO.name, note=HANAKO.note)
    for at, member in enumerate(MEMBERS):
        if member is HANAKO:
            people[member.key] = administrator
            continue
        people[member.key] = accounts.add(
            actor=HANAKO.address,
            now=begin + timedelta(hours=1, minutes=7 * at),
            address=member.address,
            password=password,
            name=member.name,
            note=member.note,
            senders=member.senders,
        )
    return people


def _sign_ins(now: datetime, people: dict[str, Account]) -> Iterator[SignInEvent]:
    """Yield a sign-in shortly before each message, and what else knocked at the door."""

    def event(ago: timedelta, member: Member, result: str = "ok", **changes: str) -> SignInEvent:
        fields = {"login": member.address, "listener": member.listener, "client": member.client, "helo": member.helo}
        fields |= {"mechanism": member.mechanism, "tls": member.tls, **changes}
        return SignInEvent(at=now - ago, result=result, account=people[member.key].pk, **fields)

    for sent in (*routine(), *REMARKABLE):
        yield event(sent.ago + timedelta(seconds=1), sent.by)
    hour, minute = timedelta(hours=1), timedelta(minutes=1)
    yield event(217 * hour, SCANNER, "tls-required", tls="", mechanism="LOGIN")
    yield event(216.8 * hour, SCANNER, "mechanism", mechanism="CRAM-MD5")
    for late in (4.2, 4.0, 3.9):
        yield event(late * hour, ICHIRO, "password")
    yield event(31 * hour, SVEN, "suspended")
    yield event(2 * minute, HANAKO, listener="panel", mechanism="", helo="", tls="https")
    guesses = ("admin", "test", "postmaster@example.org", "info@example.org", "root", "scan@example.org", "admin")
    for at, guess in enumerate(guesses):
        yield SignInEvent(
            at=now - (2.5 * hour + at * 11 * timedelta(seconds=1)),
            login=guess,
            listener="submission",
            client="203.0.113.77",
            result="unknown",
            mechanism="LOGIN",
            tls=TAKEN.tls,
            helo="WIN-6G1QK2",
        )
