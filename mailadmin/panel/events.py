"""What has just happened: sign-ins, deliveries and changes, as one line of time.

The three kinds live in tables of their own; an `Event` is a row of one of them with its kind and time. `Marks` is a
position in that line (the newest id of each table) that fits into one word, so that a page, a stream and a reconnecting
browser can say "from here on".
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, assert_never

from django.db import connection

from mailadmin.activity.models import Entry, SignIn
from mailadmin.queue.models import Attempt

Kind = Literal["sign-in", "delivery", "change"]
KINDS: Final[tuple[Kind, ...]] = ("sign-in", "delivery", "change")
# PostgreSQL gives ids before the commit, so a row may appear below one that was already seen; this many are re-read.
LOOK_BACK: Final = 100


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened; `row` is of the table that `kind` names."""

    kind: Kind
    id: int
    at: datetime
    row: SignIn | Attempt | Entry

    @property
    def account(self) -> int | None:
        """Return the id of the account it concerns, where there is one."""
        if isinstance(self.row, SignIn):
            return self.row.account_id
        if isinstance(self.row, Attempt):
            return self.row.recipient.message.account_id
        return None

    @property
    def repeat_key(self) -> str:
        """Return what two events share that a reader takes for one: the same knock on the same door, or nothing."""
        if isinstance(self.row, SignIn) and self.row.result != "ok":
            said = f"{self.row.client} {self.row.login} {self.row.result}"
            return f"knock {zlib.crc32(said.encode()):x}"  # a number: what a stranger said stays out of attributes
        return f"{self.kind} {self.id}"


@dataclass(frozen=True, slots=True)
class Marks:
    """The newest id of each kind that was seen."""

    sign_in: int = 0
    delivery: int = 0
    change: int = 0

    def __str__(self) -> str:
        return f"{self.sign_in}.{self.delivery}.{self.change}"

    @classmethod
    def parse(cls, text: str | None) -> Marks | None:
        """Return the marks that `text` spells, or None when it spells none."""
        parts = (text or "").split(".")
        if len(parts) != len(KINDS) or not all(part.isascii() and part.isdigit() and len(part) < 19 for part in parts):  # noqa: PLR2004  # of 64 bits
            return None
        return cls(*map(int, parts))

    def of(self, kind: Kind) -> int:
        """Return the mark of one kind."""
        match kind:
            case "sign-in":
                return self.sign_in
            case "delivery":
                return self.delivery
            case "change":
                return self.change
        assert_never(kind)

    def past(self, events: Iterable[Event]) -> Marks:
        """Return the marks after `events`."""
        newest = {kind: self.of(kind) for kind in KINDS}
        for event in events:
            newest[event.kind] = max(newest[event.kind], event.id)
        return Marks(newest["sign-in"], newest["delivery"], newest["change"])


def _read(kind: Kind, after: int, limit: int, account: int | None = None) -> list[Event]:
    """Return the newest `limit` events of one kind above the id `after`, in one query."""
    match kind:
        case "sign-in":
            sign_ins = SignIn.objects.select_related("account").order_by("-id").filter(id__gt=after)
            if account is not None:
                sign_ins = sign_ins.filter(account=account)
            return [Event(kind, row.pk, row.at, row) for row in sign_ins[:limit]]
        case "delivery":
            tries = Attempt.objects.select_related("recipient__message").order_by("-id").filter(id__gt=after)
            if account is not None:
                tries = tries.filter(recipient__message__account=account)
            return [Event(kind, row.pk, row.at, row) for row in tries[:limit]]
        case "change":
            return [
                Event(kind, row.pk, row.at, row) for row in Entry.objects.order_by("-id").filter(id__gt=after)[:limit]
            ]
    assert_never(kind)


def recent(limit: int, kinds: Sequence[Kind] = KINDS, account: int | None = None) -> list[Event]:
    """Return the newest events, newest first, in one query a kind."""
    found = [event for kind in kinds for event in _read(kind, 0, limit, account)]
    return sorted(found, key=lambda event: (event.at, event.id), reverse=True)[:limit]


def since(marks: Marks, limit: int = 50, kinds: Sequence[Kind] = KINDS, account: int | None = None) -> list[Event]:
    """Return the events above `marks`, oldest first; of a longer run the newest `limit` of each kind."""
    found = [event for kind in kinds for event in _read(kind, marks.of(kind), limit, account)]
    return sorted(found, key=lambda event: (event.at, event.id))


def latest() -> Marks:
    """Return the marks of the present moment."""
    return Marks().past(event for kind in KINDS for event in _read(kind, 0, 1))


class Tail:
    """Reads on from where it stopped, and gives each event once, late ones included."""

    def __init__(self, marks: Marks) -> None:
        self._start = marks
        self._marks = marks
        self._seen: set[tuple[Kind, int]] = set()
        # SQLite has one writer, so ids appear in order there.
        self._look_back = 0 if connection.vendor == "sqlite" else LOOK_BACK

    def read(self) -> list[Event]:
        """Return the events that have appeared since the last call, oldest first."""
        low = Marks(*(max(self._start.of(kind), self._marks.of(kind) - self._look_back) for kind in KINDS))
        fresh = [event for event in since(low, 2 * LOOK_BACK) if (event.kind, event.id) not in self._seen]
        self._marks = self._marks.past(fresh)
        self._seen.update((event.kind, event.id) for event in fresh)
        self._seen = {(kind, number) for kind, number in self._seen if number > self._marks.of(kind) - self._look_back}
        return fresh
