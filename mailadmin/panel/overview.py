"""The first page: is everything fine, what needs doing, what has just happened."""

from __future__ import annotations

from typing import Final

from django.contrib.auth.decorators import login_not_required
from django.db import Error, connection
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from mailadmin.panel import events, facts, health
from mailadmin.panel.lines import lines

SHOWN: Final = 10
# Read more than is shown, so that a knock repeated thirty times still leaves ten lines.
READ: Final = 40


@require_safe
def overview(request: HttpRequest) -> HttpResponse:
    """Show the state in a sentence, what needs somebody, today's numbers and the last events."""
    known = facts.read(timezone.now())
    findings = health.findings(known)
    recent = events.recent(READ)
    return render(
        request,
        "panel/overview.html",
        {
            "findings": findings,
            "alone": findings[0] if len(findings) == 1 else None,
            "sentence": sentence(known, findings),
            "tone": findings[0].level if findings else "ok",
            "counts": known.counts,
            "days": health.certificate_days(known),
            "lines": lines(recent, SHOWN),
            "marks": events.Marks().past(recent),
            "limit": SHOWN,
        },
    )


def sentence(known: facts.Facts, findings: list[health.Finding]) -> str:
    """Return the state in one sentence."""
    if len(findings) == 1:
        return _("1 thing needs you: %(what)s") % {"what": findings[0].text}
    if findings:
        number = len(findings)
        return ngettext("%(number)d thing needs you.", "%(number)d things need you.", number) % {"number": number}
    people, sent = known.counts.people, known.counts.sent
    days = health.certificate_days(known)
    return _("All good: %(people)s; %(sent)s; %(certificate)s.") % {
        "people": ngettext("%(n)d person can send", "%(n)d people can send", people) % {"n": people},
        "sent": ngettext("%(n)d mail today", "%(n)d mails today", sent) % {"n": sent},
        "certificate": ngettext("certificate good for %(n)d day", "certificate good for %(n)d days", days)
        % {"n": days},
    }


@login_not_required
@never_cache
@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """Answer 200 while the database answers, 503 otherwise; for monitors, without a login."""
    del request
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except Error:
        return HttpResponse("the database does not answer\n", status=503, content_type="text/plain")
    return HttpResponse("ok\n", content_type="text/plain")
