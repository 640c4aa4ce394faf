"""Every change to an account goes through a function here.

Accounts are not policy: the daemon reads the row at each AUTH and MAIL, so nothing bumps the generation. What ends open
sessions raises `Account.epoch`.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from mailadmin.accounts import passwords, rules
from mailadmin.accounts.addresses import AddressError, normal_address
from mailadmin.accounts.models import Account, SenderAddress
from mailadmin.activity import services as activity
from mailadmin.queue import services as queue
from mailadmin.queue.models import FINAL_STATES, Recipient

EDITABLE: Final = frozenset({"name", "note", "quota", "language", "is_administrator"})

generate_password = passwords.generate


def find(address: str) -> Account:
    """Return the account with this address, in whatever case it is typed.

    Raises:
        ValidationError: there is none.
    """
    try:
        return Account.objects.get(address=normal_address(address))
    except (AddressError, Account.DoesNotExist):
        raise ValidationError(
            {"address": _("There is no account %(address)s.") % {"address": address.strip()}}
        ) from None


@transaction.atomic
def add(
    *,
    actor: str,
    now: datetime,
    address: str,
    password: str,
    name: str = "",
    is_administrator: bool = False,
    senders: Iterable[str] = (),
    note: str = "",
    quota: int | None = None,
    language: str = "",
) -> Account:
    """Add an account, which owns its own address, and `senders` beside it.

    Args:
        actor: who adds it.
        now: when.
        address: the login; stored in normal form.
        password: the main password, in plain text.
        name: the person's name.
        is_administrator: whether it may sign in to the panel.
        senders: further patterns it may send from (see `addresses.normal_pattern`).
        note: free text for administrators.
        quota: limit of the mailbox in octets; None is no limit.
        language: the panel's language for this person; empty: the browser's.

    Raises:
        ValidationError: the address is wrong or taken, the password too weak, a pattern wrong.
    """
    account = Account(
        address=rules.address(address),
        name=name.strip(),
        note=rules.note(note),
        quota=quota,
        language=language,
        is_administrator=is_administrator,
        created_at=now,
        password_changed_at=now,
    )
    taken = _("There is already an account %(address)s.") % {"address": account.address}
    if Account.objects.filter(address=account.address).exists():
        raise ValidationError({"address": taken})
    passwords.check(password, account)
    account.set_password(password)
    account.full_clean(exclude=["address", "password"], validate_unique=False)
    patterns = rules.patterns(account, senders)
    try:
        with transaction.atomic():
            account.save(force_insert=True)
    except IntegrityError as error:  # somebody else was faster
        raise ValidationError({"address": taken}) from error
    SenderAddress.objects.bulk_create(SenderAddress(account=account, pattern=pattern) for pattern in patterns)
    activity.record(
        actor=actor,
        verb="account.add",
        subject=account.address,
        now=now,
        after={"name": account.name, "is_administrator": is_administrator, "senders": patterns},
    )
    return account


@transaction.atomic
def edit(account: Account, *, actor: str, now: datetime, **changes: Any) -> Account:
    """Change some of `EDITABLE`.

    Raises:
        ValidationError: a value is wrong, or the last administrator would be one no more.
        TypeError: a field is not editable here.
    """
    if unknown := set(changes) - EDITABLE:
        raise TypeError(f"not editable: {', '.join(sorted(unknown))}")
    rules.lock(account)
    changed = {field: value for field, value in changes.items() if getattr(account, field) != value}
    if not changed:
        return account
    if changed.get("is_administrator") is False:
        rules.keep_an_administrator(account)
    rules.note(str(changed.get("note", "")))
    before = {field: getattr(account, field) for field in changed}
    for field, value in changed.items():
        setattr(account, field, value)
    account.clean_fields(exclude=[field.name for field in Account._meta.fields if field.name not in changed])  # noqa: SLF001  # Django's documented Model._meta
    account.save(update_fields=list(changed))
    activity.record(
        actor=actor, verb="account.edit", subject=account.address, now=now, before=before, after=dict(changed)
    )
    return account


@transaction.atomic
def suspend(account: Account, *, actor: str, now: datetime) -> Account:
    """Stop an account: no sign-in, no further mail from open sessions, and its waiting mail is held.

    Raises:
        ValidationError: it is the last administrator.
    """
    rules.lock(account)
    if account.suspended_at is not None:
        return account
    rules.keep_an_administrator(account)
    account.suspended_at = now
    account.epoch += 1
    account.save(update_fields=["suspended_at", "epoch"])
    queue.hold_account(account.pk, now=now)
    activity.record(actor=actor, verb="account.suspend", subject=account.address, now=now)
    return account


@transaction.atomic
def resume(account: Account, *, actor: str, now: datetime) -> Account:
    """Let a suspended account go on, and release the mail that was held for it."""
    rules.lock(account)
    if account.suspended_at is None:
        return account
    account.suspended_at = None
    account.save(update_fields=["suspended_at"])
    queue.release_account(account.pk, now=now)
    activity.record(actor=actor, verb="account.resume", subject=account.address, now=now)
    return account


@transaction.atomic
def set_password(account: Account, password: str, *, actor: str, now: datetime) -> Account:
    """Change the main password; open sessions must sign in again.

    Raises:
        ValidationError: the password is too weak.
    """
    passwords.check(password, account)
    rules.lock(account)
    account.set_password(password)
    account.password_changed_at = now
    account.epoch += 1
    account.save(update_fields=["password", "password_changed_at", "epoch"])
    activity.record(actor=actor, verb="account.password", subject=account.address, now=now)
    return account


@transaction.atomic
def set_senders(account: Account, patterns: Iterable[str], *, actor: str, now: datetime) -> Account:
    """Replace what the account may send from; its own address always stays.

    Raises:
        ValidationError: a pattern is wrong.
    """
    rules.lock(account)
    wanted = rules.patterns(account, patterns)
    before = list(account.senders.values_list("pattern", flat=True))
    if wanted == before:
        return account
    account.senders.all().delete()
    SenderAddress.objects.bulk_create(SenderAddress(account=account, pattern=pattern) for pattern in wanted)
    activity.record(
        actor=actor,
        verb="account.senders",
        subject=account.address,
        now=now,
        before={"senders": before},
        after={"senders": wanted},
    )
    return account


@transaction.atomic
def remove(account: Account, *, actor: str, now: datetime, cancel_mail: bool = False) -> None:
    """Remove an account and what belongs to it; its mailbox and the history of its mail stay.

    Args:
        account: who goes.
        actor: who removes it.
        now: when.
        cancel_mail: whether mail of it that has not left yet is cancelled.

    Raises:
        ValidationError: it is the last administrator, or mail waits and `cancel_mail` is false.
    """
    rules.lock(account)
    rules.keep_an_administrator(account)
    waiting = Recipient.objects.filter(message__account=account).exclude(state__in=FINAL_STATES).count()
    if waiting and not cancel_mail:
        raise ValidationError(
            {
                "cancel_mail": ngettext(
                    "%(count)d recipient still waits for mail of %(address)s. Say that it is to be cancelled, or wait.",
                    "%(count)d recipients still wait for mail of %(address)s. Say that it is to be cancelled, or wait.",
                    waiting,
                )
                % {"count": waiting, "address": account.address}
            }
        )
    if waiting:
        queue.cancel_account(account.pk, actor=actor, now=now)
    activity.record(
        actor=actor,
        verb="account.remove",
        subject=account.address,
        now=now,
        before={"name": account.name, "is_administrator": account.is_administrator},
        after={"cancelled": waiting},
    )
    account.delete()
