"""Who changed what."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from mailadmin.activity import browse
from mailadmin.activity.sentences import differences, sentence

CHIPS = (
    ("all", gettext_lazy("All")),
    ("accounts", gettext_lazy("Accounts")),
    ("mail", gettext_lazy("Mail")),
    ("settings", gettext_lazy("Settings")),
)


@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """List the changes, newest first, by search and filter in the URL."""
    query = request.GET.get("q", "").strip()
    area = request.GET.get("area", "all")
    chip = area if area in browse.AREAS else "all"
    page = browse.page(search=query, area=chip, number=request.GET.get("page", "1"))
    entries = [(entry, sentence(entry), list(differences(entry))) for entry in page.object_list]
    context = {"page": page, "entries": entries, "query": query, "chip": chip, "chips": CHIPS}
    return render(request, "activity/list.html", context)
