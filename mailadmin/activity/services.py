"""Write down what people changed and who signed in.

`record` belongs into the transaction of the change it tells of, so that neither stands without the other. Sign-ins are
traffic: the daemon collects them and adds them in batches.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from django.db import transaction

from mailadmin.accounts.models import Account
from mailadmin.activity.models import Entry, SignIn
from mailadmin.queue.envelopes import SignInEvent

# Sign-ins deleted in one transaction, so that accepting mail never waits long for the write lock of SQLite.
SWEPT_AT_ONCE: Final = 500


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
    with transaction.atomic():
        named = {event.account for event in events if event.account is not None}
        known = set(Account.objects.filter(pk__in=named).values_list("pk", flat=True)) if named else set()
        SignIn.objects.bulk_create([_row(event, known) for event in events])


def sweep(before: datetime) -> int:
    """Delete the sign-ins from before `before`, in small transactions; what people changed is kept. Return how many."""
    old = SignIn.objects.filter(at__lt=before).order_by("at").values_list("pk", flat=True)
    deleted = 0
    while numbers := list(old[:SWEPT_AT_ONCE]):
        deleted += SignIn.objects.filter(pk__in=numbers).delete()[0]
    return deleted


def _row(event: SignInEvent, known: set[int]) -> SignIn:
    return SignIn(
        at=event.at,
        account_id=event.account if event.account in known else None,
        login=_fit(event.login, 255),
        listener=_fit(event.listener, 40),
        client=_fit(event.client, 64),
        mechanism=_fit(event.mechanism, 32),
        tls=_fit(event.tls, 64),
        helo=_fit(event.helo, 255),
        result=_fit(event.result, 20),
    )


def _fit(text: str, length: int) -> str:
    """Return `text` as both databases can store it: no NUL, no lone surrogate, at most `length` characters."""
    return text[:length].replace("\0", "\ufffd").encode("utf-8", "replace").decode()
