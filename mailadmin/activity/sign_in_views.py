"""Who signed in, or tried to: with the reason in words, and live on the first page."""

from __future__ import annotations

from typing import Final

from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from mailadmin.activity.models import SignIn
from mailadmin.activity.sign_in_reasons import OK, REASONS
from mailadmin.panel.events import Marks

PAGE: Final = 50
CHIPS: Final = (
    ("all", gettext_lazy("All")),
    ("ok", gettext_lazy("Signed in")),
    ("refused", gettext_lazy("Refused")),
    *((result, REASONS[result].label) for result in ("password", "unknown", "suspended", "tls-required", "mechanism")),
)
# The rarer results have no chip, and are found by their names in the URL.
_KNOWN: Final = frozenset([*(value for value, _label in CHIPS), *REASONS])


@require_safe
def sign_ins(request: HttpRequest) -> HttpResponse:
    """List sign-ins, newest first, by search (account, login, client) and result."""
    query = request.GET.get("q", "").strip()
    asked = request.GET.get("result", "all")
    chip = asked if asked in _KNOWN else "all"
    number = _number(request.GET.get("page", "1"))
    start = (number - 1) * PAGE
    rows = list(_matching(query, chip)[start : start + PAGE + 1])
    is_live = number == 1 and not query and chip == "all"
    context = {
        "rows": [(row, _is_new(row, above)) for row, above in zip(rows[:PAGE], [None, *rows], strict=False)],
        "query": query,
        "chip": chip,
        "chips": CHIPS,
        "number": number,
        "has_next": len(rows) > PAGE,
        "is_live": is_live,
        "is_filtered": bool(query) or chip != "all",
        # Of the other kinds this list shows nothing, so their marks may stand at the beginning.
        "marks": Marks(sign_in=max((row.pk for row in rows), default=0)),
        "limit": PAGE,
    }
    return render(request, "sign_ins/list.html", context)


def _is_new(row: SignIn, above: SignIn | None) -> bool:
    """Whether the reason must be told: not when the row above, of the same client, has the same one."""
    return above is None or (row.client, row.result) != (above.client, above.result)


def _number(text: str) -> int:
    return max(1, int(text)) if text.isascii() and text.isdigit() and len(text) < 7 else 1  # noqa: PLR2004  # nobody reads further


def _matching(query: str, chip: str) -> QuerySet[SignIn]:
    """Return what matches; an account's address and a client's are found by their columns, other words inside them."""
    found = SignIn.objects.select_related("account").order_by("-id")
    if chip == "refused":
        found = found.exclude(result=OK)
    elif chip != "all":
        found = found.filter(result=chip)
    for word in query.split():
        found = found.filter(
            Q(client__startswith=word)
            | Q(login__icontains=word)
            | Q(account__address__icontains=word)
            | Q(account__name__icontains=word)
            | Q(mechanism__iexact=word)
            | Q(listener=word)
        )
    return found
