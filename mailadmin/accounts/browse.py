"""The questions behind the list of accounts."""

from __future__ import annotations

from typing import Final, Literal, get_args

from django.core.paginator import Page, Paginator
from django.db.models import Exists, Max, OuterRef, Q, QuerySet, Subquery

from mailadmin.accounts.models import Account, SenderAddress
from mailadmin.activity.models import SignIn

Show = Literal["all", "active", "suspended", "administrators"]
SHOWN: Final[tuple[Show, ...]] = get_args(Show)
PAGE_SIZE: Final = 50


def matching(search: str = "", show: str = "all") -> QuerySet[Account]:
    """Return the accounts that match, by address, each with `signed_in_at`: its last successful sign-in, or None.

    Args:
        search: part of an address, a name, a note or an address it may send from; empty finds all.
        show: one of `SHOWN`; anything else counts as "all".
    """
    last = SignIn.objects.filter(account=OuterRef("pk"), result="ok").values("account").annotate(last=Max("at"))
    accounts = Account.objects.annotate(signed_in_at=Subquery(last.values("last"))).order_by("address")
    for word in search.split():
        sends_as = SenderAddress.objects.filter(account=OuterRef("pk"), pattern__icontains=word)
        accounts = accounts.filter(
            Q(address__icontains=word) | Q(name__icontains=word) | Q(note__icontains=word) | Exists(sends_as)
        )
    if show == "active":
        return accounts.filter(suspended_at=None)
    if show == "suspended":
        return accounts.exclude(suspended_at=None)
    if show == "administrators":
        return accounts.filter(is_administrator=True)
    return accounts


def page(*, search: str = "", show: str = "all", number: int | str = 1) -> Page[Account]:
    """Return one page of 50 of the matching accounts; a number out of bounds gives the nearest page."""
    return Paginator(matching(search, show).prefetch_related("senders"), PAGE_SIZE).get_page(number)
