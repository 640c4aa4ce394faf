"""Write down what deliveries came to, in one transaction: attempts, states, notices, and the end of bodies.

Before it, a crash repeats the delivery when the lease has run out; after it, nothing is left to do but to delete the
chunks of a large body, which the sweep does as well.
"""

# ruff: noqa: S608  # statements are composed of this module's constants and placeholders, never of values

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from random import Random, SystemRandom
from typing import Final

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from mailadmin.bodies import services as bodies
from mailadmin.queue.accepting import insert
from mailadmin.queue.claiming import lock, marks
from mailadmin.queue.envelopes import Result, Verdict
from mailadmin.queue.models import State
from mailadmin.queue.reporting import notice_due, notices
from mailadmin.queue.rows import Row, Told, rows
from mailadmin.queue.schedule import Rules, next_attempt
from mailadmin.queue.states import TRANSITIONS, Event
from mailadmin.queue.times import Parameter, stored
from mailadmin.queue.wording import Kind

MOST_REPLY: Final = 1000  # characters, the width of the column
_SYSTEM_RANDOM: Final = SystemRandom()
_ATTEMPT: Final = (
    "INSERT INTO queue_attempt (recipient_id, at, outcome, stage, peer, tls, code, enhanced, reply)"
    " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)"
)
_CHANGE: Final = (
    "UPDATE queue_recipient SET state = %s, next_attempt_at = %s, attempts = attempts + %s, delay_notified = %s,"
    " last_reply = %s, finished_at = %s, lease_owner = '', lease_until = NULL, hold_reason = '' WHERE id = %s"
)


@dataclass(frozen=True, slots=True)
class Change:
    """What is about to happen to one recipient.

    Args:
        row: the recipient as it stands.
        event: the row of `states.TRANSITIONS`.
        verdict: what is told of it.
        at: when.
        due: when it is tried next; for a final state, the same as `at`.
        notice: the notice this makes due.
        tried: whether this was an attempt, and counts as one.
    """

    row: Row
    event: Event
    verdict: Verdict
    at: datetime
    due: datetime
    notice: Kind | None = None
    tried: bool = True


def record(
    results: Sequence[Result],
    *,
    owner: str,
    now: datetime,
    rules: Rules,
    random: Random = _SYSTEM_RANDOM,
    tell: bool = True,
) -> int:
    """Record `results` of deliveries that `owner` made.

    A recipient whose lease `owner` has lost meanwhile keeps its state; its attempt is written all the same, since it
    happened.

    Args:
        results: verdicts, at most one for a recipient.
        owner: who claimed, as given to `claim`.
        now: when they are recorded, and the date of notices.
        rules: how long to try and when to tell.
        random: for the jitter of the schedule.
        tell: False writes no notices, for the case that writing one is what fails.

    Returns:
        For how many recipients the state changed.
    """
    if not results:
        return 0
    by_recipient = {result.recipient: result for result in results}
    with transaction.atomic(), connection.cursor() as cursor:
        found = _locked_rows(cursor, by_recipient)
        ours = [row for row in found if row.state == State.DELIVERING and row.lease_owner == owner]
        judge = _Judge(now=now, rules=rules, random=random)
        changes = [judge.change(row, by_recipient[row.id]) for row in ours]
        if not tell:
            changes = [replace(change, notice=None) for change in changes]
        _write_attempts(cursor, [(row.id, by_recipient[row.id].verdict, by_recipient[row.id].at) for row in found])
        _write_attempts(cursor, [(c.row.id, c.verdict, c.at) for c in changes if c.event == "expire"])
        apply(cursor, changes, rules=rules, now=now)
    return len(changes)


def apply(cursor: CursorWrapper, changes: Sequence[Change], *, rules: Rules, now: datetime) -> None:
    """Carry out `changes` inside the caller's transaction: states, notices, and the end of what is done with.

    The rows' messages must be locked.
    """
    if not changes:
        return
    cursor.executemany(_CHANGE, [_change_row(change) for change in changes])
    due = [(c.notice, Told(c.row, c.verdict, c.at)) for c in changes if c.notice]
    if due:
        # Notices read the originals, so this comes before the bodies go.
        insert(cursor, notices(due, rules=rules, now=now), now=now)
    _close(cursor, [change.row for change in changes if TRANSITIONS[change.event].is_final])


def _locked_rows(cursor: CursorWrapper, recipients: Collection[int]) -> list[Row]:
    """Return `recipients` as they stand, with their messages locked."""
    cursor.execute(
        f"SELECT DISTINCT message_id FROM queue_recipient WHERE id IN ({marks(recipients)})", list(recipients)
    )
    lock(cursor, [row[0] for row in cursor.fetchall()])
    return rows(cursor, f"r.id IN ({marks(recipients)})", list(recipients))


class _Judge:
    """Says what a verdict makes of a recipient.

    The next attempt is decided once for a message: recipients that were deferred together go together again, in one
    transaction with the far side.
    """

    def __init__(self, *, now: datetime, rules: Rules, random: Random) -> None:
        self._now = now
        self._rules = rules
        self._random = random
        self._next: dict[tuple[int, int], datetime | None] = {}

    def change(self, row: Row, result: Result) -> Change:
        """Return what is to happen to `row`."""
        verdict = replace(result.verdict, reply=result.verdict.reply[:MOST_REPLY])
        if verdict.outcome == "deferred":
            due = self._next_attempt(row)
            if due is not None:
                return self._defer(row, result, verdict, due)
            event: Event = "expire"
            verdict = _expired(verdict)
        else:
            event = "deliver" if verdict.outcome == "delivered" else "fail"
        notice = notice_due(Told(row, verdict, result.at))
        return Change(row, event, verdict, result.at, due=self._now, notice=notice)

    def _defer(self, row: Row, result: Result, verdict: Verdict, due: datetime) -> Change:
        age = self._now - row.message.accepted_at
        tell = age >= self._rules.delay_notice_after and not row.delay_notified and row.wants("DELAY")
        return Change(row, "defer", verdict, result.at, due=due, notice="delayed" if tell else None)

    def _next_attempt(self, row: Row) -> datetime | None:
        key = (row.message.id, row.attempts)
        if key not in self._next:
            self._next[key] = next_attempt(
                accepted_at=row.message.accepted_at,
                attempts=row.attempts + 1,
                now=self._now,
                rules=self._rules,
                random=self._random,
            )
        return self._next[key]


def _expired(last: Verdict) -> Verdict:
    """Return the verdict of one who gives up: in the last server's words (RFC 3463: X.4.7, delivery time expired)."""
    return replace(last, outcome="failed", stage="expired", enhanced="4.4.7")


def _change_row(change: Change) -> tuple[Parameter, ...]:
    transition = TRANSITIONS[change.event]
    return (
        transition.target.value,
        stored(change.due),
        int(change.tried),
        change.row.delay_notified or change.notice == "delayed",
        _words(change.verdict) or change.row.last_reply,
        stored(change.at) if transition.is_final else None,
        change.row.id,
    )


def _words(verdict: Verdict) -> str:
    """Return a verdict as one line: code, status, words."""
    return " ".join(filter(None, (str(verdict.code or ""), verdict.enhanced, verdict.reply)))[:MOST_REPLY]


def _write_attempts(cursor: CursorWrapper, attempts: Iterable[tuple[int, Verdict, datetime]]) -> None:
    parameters = [
        (recipient, stored(at), v.outcome, v.stage[:16], v.peer[:255], v.tls[:64], v.code, v.enhanced[:12],
         v.reply[:MOST_REPLY])
        for recipient, v, at in attempts
    ]  # fmt: skip
    if parameters:
        cursor.executemany(_ATTEMPT, parameters)


def _close(cursor: CursorWrapper, finished: Sequence[Row]) -> None:
    """Count `finished` recipients out of their messages, and let the bodies go that no one needs any more."""
    counts = Counter(row.message.id for row in finished)
    if not counts:
        return
    cursor.executemany(
        "UPDATE queue_message SET open_recipients = open_recipients - %s WHERE id = %s",
        [(count, message) for message, count in counts.items()],
    )
    closed = f"SELECT id FROM queue_message WHERE id IN ({marks(counts)}) AND open_recipients = 0"
    cursor.execute(closed, list(counts))
    done = [row[0] for row in cursor.fetchall()]
    if not done:
        return
    cursor.execute(f"DELETE FROM queue_messagebody WHERE message_id IN ({marks(done)})", done)
    chunked = {row.message.id for row in finished if row.message.chunked} & set(done)
    if chunked:
        # Another store: a crash before this leaves orphans, and the sweep takes them.
        transaction.on_commit(lambda: bodies.drop(*chunked))
