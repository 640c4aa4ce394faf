"""What the panel tells of a message: a line in the list, and its story from acceptance to the end."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from django.utils.functional import Promise
from django.utils.translation import gettext as _

from mailadmin.queue.envelopes import queue_id
from mailadmin.queue.models import FINAL_STATES, Attempt, Message, Recipient, State
from mailadmin.queue.reasons import tone, why

# Recipients that a line of the list names.
NAMED = 2


@dataclass(frozen=True, slots=True)
class Label:
    """A state with how many recipients are in it, as a badge."""

    text: str | Promise
    tone: str


@dataclass(frozen=True, slots=True)
class Line:
    """A message in the list.

    Args:
        message: it.
        id: its queue id.
        to: the first recipients' addresses.
        more: how many more there are.
        labels: a badge for each state that occurs.
        reply: the last words of a remote server about what waits or failed.
        next_at: when the next recipient is tried.
    """

    message: Message
    id: str
    to: tuple[str, ...]
    more: int
    labels: tuple[Label, ...]
    reply: str
    next_at: datetime | None


def line(message: Message) -> Line:
    """Return the line of a message whose recipients are loaded."""
    recipients = list(message.recipients.all())
    waiting = [each for each in recipients if each.state == State.WAITING]
    troubled = [each for each in recipients if each.state in (State.WAITING, State.HELD, State.FAILED)]
    return Line(
        message=message,
        id=queue_id(message.pk),
        to=tuple(each.address for each in recipients[:NAMED]),
        more=max(0, len(recipients) - NAMED),
        labels=labels(recipients),
        reply=next((each.last_reply for each in troubled if each.last_reply), ""),
        next_at=min((each.next_attempt_at for each in waiting), default=None),
    )


def labels(recipients: Iterable[Recipient]) -> tuple[Label, ...]:
    """Return a badge for each state; with a number where it differs from "all of one"."""
    numbers = Counter(each.state for each in recipients)
    alone = sum(numbers.values()) == 1
    found = []
    for state, number in sorted(numbers.items(), key=lambda pair: list(State.values).index(pair[0])):
        name = State(state).label
        text = name if alone else _("%(number)d %(state)s") % {"number": number, "state": name}
        found.append(Label(text, tone(state)))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Step:
    """One moment in the story of a recipient."""

    at: datetime | None
    tone: str
    title: str
    facts: tuple[tuple[str, str], ...] = ()
    reply: str = ""
    # Earlier moments at which exactly the same happened, oldest first.
    before: tuple[datetime, ...] = ()


@dataclass(frozen=True, slots=True)
class Story:
    """A recipient with its sentence and its steps; the acceptance is the message's and stands before all of them."""

    recipient: Recipient
    label: Label
    why: str
    steps: tuple[Step, ...]
    next_at: datetime | None

    @property
    def is_open(self) -> bool:
        """Whether it has not come to an end."""
        return self.recipient.state not in FINAL_STATES


def stories(message: Message, *, paused: bool) -> list[Story]:
    """Return the story of each recipient of a message whose tries are loaded."""
    told = []
    for recipient in message.recipients.all():
        tries = list(recipient.tries.all())
        sentence = why(recipient, tries[-1] if tries else None, paused=paused)
        label = Label(State(recipient.state).label, tone(recipient.state))
        next_at = recipient.next_attempt_at if recipient.state == State.WAITING and tries and not paused else None
        told.append(Story(recipient, label, sentence, tuple(_steps(recipient, tries)), next_at))
    return told


def accepted(message: Message) -> Step:
    """Return the first step: how the message came in."""
    if not message.listener:
        return Step(message.accepted_at, "info", _("Made by this server"))
    known = (
        (_("Listener"), message.listener),
        (_("Client"), message.client),
        (_("Called itself"), message.helo),
        (_("Protected by"), message.tls or _("no TLS")),
        (_("Method"), message.mechanism),
    )
    return Step(message.accepted_at, "info", _("Accepted"), tuple((name, value) for name, value in known if value))


def _steps(recipient: Recipient, tries: list[Attempt]) -> Iterator[Step]:
    titles = {"delivered": _("Delivered"), "deferred": _("Tried, not yet taken"), "failed": _("Failed for good")}
    tones = {"delivered": "ok", "deferred": "wait", "failed": "bad"}
    for same in _alike(tries):
        attempt = same[-1]
        facts = tuple(
            (name, value) for name, value in ((_("Server"), attempt.peer), (_("Protected by"), attempt.tls)) if value
        )
        title = titles.get(attempt.outcome, attempt.outcome)
        before = tuple(each.at for each in same[:-1])
        yield Step(attempt.at, tones.get(attempt.outcome, "quiet"), title, facts, said(attempt), before)
    if recipient.state == State.CANCELLED:
        yield Step(recipient.finished_at, "quiet", _("Cancelled"))
    elif recipient.state == State.FAILED and (not tries or tries[-1].outcome != "failed"):
        yield Step(recipient.finished_at, "bad", _("Returned to its sender"))


def _alike(tries: Iterable[Attempt]) -> Iterator[list[Attempt]]:
    """Yield runs of tries that came to exactly the same."""

    def what(attempt: Attempt) -> tuple[object, ...]:
        return attempt.outcome, attempt.stage, attempt.peer, attempt.tls, attempt.code, attempt.enhanced, attempt.reply

    for _key, run in groupby(tries, key=what):
        yield list(run)


def said(attempt: Attempt) -> str:
    """Return the remote server's words with the codes before them, as they stood on the wire."""
    return " ".join(part for part in (str(attempt.code or ""), attempt.enhanced, attempt.reply) if part)


def version(message: Message) -> str:
    """Return a short text that changes whenever the story does."""
    told = [(each.pk, each.state, each.attempts, str(each.next_attempt_at)) for each in message.recipients.all()]
    return f"{zlib.crc32(repr(told).encode()):x}"
