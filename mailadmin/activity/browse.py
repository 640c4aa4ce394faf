"""The questions behind the activity page."""

from __future__ import annotations

from typing import Final

from django.core.paginator import Page, Paginator
from django.db.models import Q

from mailadmin.activity.models import Entry

PAGE_SIZE: Final = 50
# What the filter on the page offers, and the first parts of the verbs it stands for.
AREAS: Final[dict[str, tuple[str, ...]]] = {
    "all": (),
    "accounts": ("account.",),
    "mail": ("queue.",),
    "settings": ("server.", "listener.", "domain.", "route.", "mechanism.", "certificate."),
}


def page(*, search: str = "", area: str = "all", number: int | str = 1) -> Page[Entry]:
    """Return one page of the entries, newest first.

    Args:
        search: words that are part of who did it, or to what.
        area: one of `AREAS`; anything else counts as "all".
        number: the page; out of bounds gives the nearest one.
    """
    entries = Entry.objects.all()
    for word in search.split():
        entries = entries.filter(Q(actor__icontains=word) | Q(subject__icontains=word))
    condition = Q()
    for prefix in AREAS.get(area, ()):
        condition |= Q(verb__startswith=prefix)
    return Paginator(entries.filter(condition), PAGE_SIZE).get_page(number)
