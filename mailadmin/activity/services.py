"""Write down what people changed and who signed in.

`record` belongs into the transaction of the change it tells of, so that neither stands without the other. Sign-ins are
traffic: the daemon collects them and adds them in batches.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from django.db import connection, transaction

from mailadmin.activity.models import Entry, SignIn
from mailadmin.queue.envelopes import SignInEvent

# Sign-ins deleted in one transaction, so that accepting mail never waits long for the write lock of SQLite.
SWEPT_AT_ONCE: Final = 500
# A plain statement, since every session brings one: objects of the ORM cost four times as much. An account that was
# removed meanwhile leaves its sign-in without one.
_SIGN_IN: Final = (
    "INSERT INTO activity_signin (at, account_id, login, listener, client, mechanism, tls, helo, result) VALUES"
    " (%s, (SELECT id FROM accounts_account WHERE id = %s), %s, %s, %s, %s, %s, %s, %s)"
)


def record(
    *,
    actor: str,
    verb: str,
    subject: str,
    now: datetime,
    before: Mapping[str, object] | None = None,
    after: Mapping[str, object] | None = None,
) -> Entry:
    """Write an activity entry.

    Args:
        actor: who did it: an address, "command line" or "system".
        verb: what was done, such as ``account.suspend``.
        subject: what it was done to, as people name it.
        now: when.
        before: the values that changed, as they were; JSON types only, and never a secret.
        after: the same values as they are now.
    """
    return Entry.objects.create(
        at=now,
        actor=_fit(actor, 254),
        verb=verb,
        subject=_fit(subject, 254),
        before=dict(before or {}),
        after=dict(after or {}),
    )


def add_sign_ins(events: Sequence[SignInEvent]) -> None:
    """Add a batch of sign-in attempts in one transaction.

    What the client said is cut to the columns' lengths; an account that was removed meanwhile is left empty.
    """
    if not events:
        return
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.executemany(_SIGN_IN, [_row(event) for event in events])


def sweep(before: datetime) -> int:
    """Delete the sign-ins from before `before`, in small transactions; what people changed is kept. Return how many."""
    old = SignIn.objects.filter(at__lt=before).order_by("at").values_list("pk", flat=True)
    deleted = 0
    while numbers := list(old[:SWEPT_AT_ONCE]):
        deleted += SignIn.objects.filter(pk__in=numbers).delete()[0]
    return deleted


def _row(event: SignInEvent) -> tuple[str | int | datetime | None, ...]:
    return (
        connection.ops.adapt_datetimefield_value(event.at),
        event.account,
        _fit(event.login, 255),
        _fit(event.listener, 40),
        _fit(event.client, 64),
        _fit(event.mechanism, 32),
        _fit(event.tls, 64),
        _fit(event.helo, 255),
        _fit(event.result, 20),
    )


def _fit(text: str, length: int) -> str:
    """Return `text` as both databases can store it: no NUL, no lone surrogate, at most `length` characters."""
    return text[:length].replace("\0", "\ufffd").encode("utf-8", "replace").decode()
