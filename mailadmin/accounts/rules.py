"""What must stay true of accounts; the functions of `services` ask here before they change anything."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from mailadmin.accounts.addresses import AddressError, normal_address, normal_pattern
from mailadmin.accounts.models import Account

MAX_NOTE: Final = 2000


def lock(account: Account) -> None:
    """Bring `account` up to date and keep others from changing it until the transaction ends.

    Raises:
        ValidationError: it was removed meanwhile.
    """
    try:
        account.refresh_from_db(from_queryset=Account.objects.select_for_update())
    except Account.DoesNotExist:
        raise ValidationError({"account": _("This account was removed meanwhile.")}) from None


def address(text: str) -> str:
    """Return `text` as an address in normal form.

    Raises:
        ValidationError: it is none.
    """
    try:
        return normal_address(text)
    except AddressError as error:
        raise ValidationError(
            {"address": _("“%(address)s” is not an address: %(reason)s.") % {"address": text, "reason": _(str(error))}}
        ) from error


def patterns(account: Account, texts: Iterable[str]) -> list[str]:
    """Return the account's own address and the patterns of `texts` in normal form, each once.

    Raises:
        ValidationError: a text is no pattern.
    """
    found = [account.address]
    for text in texts:
        try:
            found.append(normal_pattern(text))
        except AddressError as error:
            message = _(
                "“%(pattern)s” is neither an address nor a pattern (name@example.org, name+*@example.org or "
                "*@example.org): %(reason)s."
            )
            raise ValidationError({"senders": message % {"pattern": text, "reason": _(str(error))}}) from error
    return list(dict.fromkeys(found))


def note(text: str) -> str:
    """Return `text` when it is short enough; the column itself would take more.

    Raises:
        ValidationError: it is not.
    """
    if len(text) > MAX_NOTE:
        raise ValidationError({"note": _("A note has at most %(number)d characters.") % {"number": MAX_NOTE}})
    return text


def keep_an_administrator(account: Account) -> None:
    """Refuse to go on when `account` is the only administrator who can sign in.

    Raises:
        ValidationError: it is.
    """
    if not account.is_administrator or account.suspended_at is not None:
        return
    # Ordered and locked, so that of two administrators who remove each other one is refused.
    active = Account.objects.select_for_update().filter(is_administrator=True, suspended_at=None).order_by("pk")
    if [administrator.pk for administrator in active] == [account.pk]:
        message = _("%(address)s is the only administrator. Make somebody else an administrator first.")
        raise ValidationError({"account": message % {"address": account.address}})
