"""What people do to mail in the queue: hold, release, retry, cancel, give back; pause and resume the whole of it.

Each function says how many recipients it changed. Those in a state that the event may not start from are left alone:
what is being delivered cannot be called back, what is done is done. Each leaves one activity entry, when it changed
anything.
"""

# ruff: noqa: S608  # statements are composed of this module's constants and placeholders, never of values

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from mailadmin.activity import services as activity
from mailadmin.generation.services import bump
from mailadmin.queue.accepting import wake
from mailadmin.queue.claiming import lock, marks
from mailadmin.queue.envelopes import Verdict, queue_id
from mailadmin.queue.models import Message, Recipient
from mailadmin.queue.recording import Change, apply
from mailadmin.queue.reporting import notice_due
from mailadmin.queue.rows import Row, Told, rows
from mailadmin.queue.schedule import Rules
from mailadmin.queue.states import TRANSITIONS, Event
from mailadmin.queue.times import Parameter, stored
from mailadmin.routing.models import Domain
from mailadmin.server.models import Server

# Messages locked and changed in one transaction; a bulk action over more takes several.
AT_ONCE: Final = 500


@dataclass(frozen=True, slots=True)
class Selection:
    """Which recipients an action is for; conditions given together must all hold, and one at least is needed.

    Args:
        messages: those of these messages.
        recipients: these.
        domain: those in this domain (normal form).
        account: those of this account's messages.
        everything: all of the queue.
    """

    messages: Collection[int] | None = None
    recipients: Collection[int] | None = None
    domain: str = ""
    account: int | None = None
    everything: bool = False

    def condition(self) -> tuple[str, list[Parameter]]:
        """Return the selection as SQL over recipients (alias r) and messages (alias m), and its parameters.

        Raises:
            ValueError: it selects by nothing.
        """
        conditions, values = ["1 = 1"] if self.everything else [], list[Parameter]()
        for column, chosen in (("r.message_id", self.messages), ("r.id", self.recipients)):
            if chosen is not None:
                conditions.append(f"{column} IN ({marks(chosen)})" if chosen else "1 = 0")
                values += chosen
        if self.domain:
            conditions.append("r.domain = %s")
            values.append(self.domain)
        if self.account is not None:
            conditions.append("m.account_id = %s")
            values.append(self.account)
        if not conditions:
            raise ValueError("say which mail: an empty selection is not everything")
        return " AND ".join(conditions), values


# A selection, one message with all its recipients, or recipients.
Chosen = Selection | Message | Iterable[Recipient]


def hold(chosen: Chosen, *, actor: str, now: datetime) -> int:
    """Keep waiting recipients from delivery until they are released; return how many."""
    return _change(chosen, "hold", "state = 'held', hold_reason = 'admin'", [], actor=actor, now=now)


def release(chosen: Chosen, *, actor: str, now: datetime) -> int:
    """Let held recipients be delivered, now; return how many.

    Mail of a suspended account is held again when it is claimed: resume the account instead.
    """
    return _change(
        chosen,
        "release",
        "state = 'waiting', hold_reason = '', next_attempt_at = %s",
        [stored(now)],
        actor=actor,
        now=now,
    )


def retry(chosen: Chosen, *, actor: str, now: datetime) -> int:
    """Make waiting recipients due now; return how many."""
    return _change(chosen, "retry", "next_attempt_at = %s", [stored(now)], actor=actor, now=now)


def hold_account(account: int, *, now: datetime) -> int:
    """Hold the waiting mail of an account that is being suspended, in the caller's transaction; return how many."""
    del now  # part of every service's signature; a hold has no time
    return _update(Selection(account=account), "suspend", "state = 'held', hold_reason = 'account'", [])


def release_account(account: int, *, now: datetime) -> int:
    """Release what `hold_account` held, in the transaction that resumes the account; return how many."""
    return _update(
        Selection(account=account),
        "release",
        "state = 'waiting', hold_reason = '', next_attempt_at = %s",
        [stored(now)],
        extra=" AND r.hold_reason = 'account'",
    )


def cancel(chosen: Chosen, *, actor: str, now: datetime) -> int:
    """End waiting and held recipients without delivery and without a notice; return how many."""
    verdict = Verdict("failed", "cancelled", reply=f"cancelled by {actor}")
    return _finish(chosen, "cancel", verdict, actor=actor, now=now)


def cancel_account(account: int, *, actor: str, now: datetime) -> int:
    """Cancel the mail of an account that is being removed, in the caller's transaction; return how many."""
    return cancel(Selection(account=account), actor=actor, now=now)


def give_back(chosen: Chosen, *, actor: str, now: datetime) -> int:
    """Return waiting and held mail to its sender now, with a notice of failure; return how many recipients."""
    verdict = Verdict("failed", "returned", enhanced="5.3.0", reply="returned to the sender by the administrator")
    return _finish(chosen, "give_back", verdict, actor=actor, now=now)


def pause(*, actor: str, now: datetime) -> None:
    """Stop all deliveries; mail is still accepted."""
    _set_paused(paused=True, actor=actor, now=now)


def resume(*, actor: str, now: datetime) -> None:
    """Go on with deliveries."""
    _set_paused(paused=False, actor=actor, now=now)


def rules() -> Rules:
    """Return the rules of undelivered mail as the settings stand."""
    server = Server.objects.get(pk=1)
    local = frozenset(Domain.objects.values_list("name", flat=True))
    return Rules(server.hostname, server.give_up_after, server.delay_notice_after, local)


def _set_paused(*, paused: bool, actor: str, now: datetime) -> None:
    with transaction.atomic():
        if not Server.objects.filter(pk=1).exclude(queue_paused=paused).update(queue_paused=paused):
            return
        activity.record(
            actor=actor,
            verb="queue.pause" if paused else "queue.resume",
            subject="queue",
            now=now,
            before={"paused": not paused},
            after={"paused": paused},
        )
        bump()
        with connection.cursor() as cursor:
            wake(cursor)


def _selection(chosen: Chosen) -> Selection:
    if isinstance(chosen, Selection):
        return chosen
    if isinstance(chosen, Message):
        return Selection(messages=[chosen.pk])
    return Selection(recipients=[recipient.pk for recipient in chosen])


def _sources(event: Event, column: str = "r.state") -> str:
    """Return the condition that a recipient is in a state `event` may start from."""
    states = ", ".join(f"'{state.value}'" for state in TRANSITIONS[event].sources)
    return f"{column} IN ({states})"


# The state, hidden from indexes: for recipients of messages that are named (see `claiming`).
_STATE: Final = "(r.state || '')"


def _messages(cursor: CursorWrapper, condition: str, values: Sequence[Parameter]) -> list[int]:
    """Return the messages that have a recipient for which `condition` holds."""
    cursor.execute(
        "SELECT DISTINCT m.id FROM queue_recipient r JOIN queue_message m ON m.id = r.message_id"
        f" WHERE {condition} ORDER BY m.id",
        values,
    )
    return [row[0] for row in cursor.fetchall()]


def _update(chosen: Selection, event: Event, assignments: str, parameters: Sequence[Parameter], extra: str = "") -> int:
    """Apply `assignments` to the chosen recipients that `event` may start from; return how many."""
    condition, values = chosen.condition()
    condition += extra
    by_message = f"{_sources(event, _STATE)} AND {condition}"
    changed = 0
    with transaction.atomic(), connection.cursor() as cursor:
        messages = _messages(cursor, f"{_sources(event)} AND {condition}", values)
        for start in range(0, len(messages), AT_ONCE):
            batch = messages[start : start + AT_ONCE]
            lock(cursor, batch)
            cursor.execute(
                f"UPDATE queue_recipient SET {assignments} WHERE id IN (SELECT r.id FROM queue_recipient r"
                f" JOIN queue_message m ON m.id = r.message_id WHERE m.id IN ({marks(batch)}) AND {by_message})",
                [*parameters, *batch, *values],
            )
            changed += cursor.rowcount
        wake(cursor)
    return changed


def _change(
    chosen: Chosen, event: Event, assignments: str, parameters: Sequence[Parameter], *, actor: str, now: datetime
) -> int:
    """Do `_update` and leave an activity entry."""
    chosen = _selection(chosen)
    with transaction.atomic():
        changed = _update(chosen, event, assignments, parameters)
        _tell(chosen, event, changed, actor=actor, now=now)
    return changed


def _finish(chosen: Chosen, event: Event, verdict: Verdict, *, actor: str, now: datetime) -> int:
    """End the chosen recipients by `event`; return how many."""
    chosen = _selection(chosen)
    condition, values = chosen.condition()
    by_message = f"{_sources(event, _STATE)} AND {condition}"
    changed = 0
    with transaction.atomic(), connection.cursor() as cursor:
        in_force = rules()
        messages = _messages(cursor, f"{_sources(event)} AND {condition}", values)
        for start in range(0, len(messages), AT_ONCE):
            batch = messages[start : start + AT_ONCE]
            lock(cursor, batch)
            found = rows(cursor, f"m.id IN ({marks(batch)}) AND {by_message}", [*batch, *values])
            apply(cursor, [_ending(row, event, verdict, now) for row in found], rules=in_force, now=now)
            changed += len(found)
        _tell(chosen, event, changed, actor=actor, now=now)
    return changed


def _ending(row: Row, event: Event, verdict: Verdict, now: datetime) -> Change:
    notice = notice_due(Told(row, verdict, now)) if event == "give_back" else None
    return Change(row, event, verdict, now, due=now, notice=notice, tried=False)


def _tell(chosen: Selection, event: Event, changed: int, *, actor: str, now: datetime) -> None:
    """Leave an activity entry about `changed` recipients."""
    if changed:
        activity.record(
            actor=actor, verb=f"queue.{event}", subject=_subject(chosen), now=now, after={"recipients": changed}
        )


def _subject(chosen: Selection) -> str:
    """Return what was chosen, as people name it."""
    messages = set(chosen.messages or ())
    if chosen.recipients:
        with connection.cursor() as cursor:
            messages.update(
                _messages(cursor, f"r.id IN ({marks(chosen.recipients)})", list(chosen.recipients)),
            )
    names = [queue_id(message) for message in sorted(messages)]
    if chosen.domain:
        names.append(chosen.domain)
    return ", ".join(names) or "queue"
