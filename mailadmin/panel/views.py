"""The small views around every page: preferences, reports of the content security policy, how far a change has come."""

from __future__ import annotations

import json
import logging
from typing import Final

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import check_for_language
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_POST

from mailadmin.generation import services as generation
from mailadmin.panel import preferences

log = logging.getLogger("mailadmin.panel")

MAX_REPORT: Final = 8192  # octets; a browser's report is far below


def _back(request: HttpRequest) -> HttpResponseRedirect:
    """Return to the page the form stood on; never to another host."""
    target = request.POST.get("next", "/")
    return HttpResponseRedirect(target if url_has_allowed_host_and_scheme(target, allowed_hosts=None) else "/")


@login_not_required
@require_POST
def language(request: HttpRequest) -> HttpResponse:
    """Set the language, in this browser and in the account of who is signed in."""
    response = _back(request)
    code = request.POST.get("language", "")
    if code in dict(settings.LANGUAGES) and check_for_language(code):
        preferences.remember(response, settings.LANGUAGE_COOKIE_NAME, code)
        if request.user.is_authenticated:
            request.user.language = code
            request.user.save(update_fields=["language"])
    return response


@login_not_required
@require_POST
def theme(request: HttpRequest) -> HttpResponse:
    """Set the colors: auto, light or dark."""
    response = _back(request)
    chosen = request.POST.get("theme", "")
    if chosen in preferences.THEMES:
        preferences.remember(response, preferences.THEME_COOKIE, chosen)
    return response


@login_not_required
@require_POST
def shortcuts(request: HttpRequest) -> HttpResponse:
    """Turn the / key on or off."""
    response = _back(request)
    preferences.remember(
        response, preferences.SHORTCUTS_COOKIE, "off" if request.POST.get("shortcuts") == "off" else "on"
    )
    return response


@login_not_required
@csrf_exempt
@require_POST
def csp_report(request: HttpRequest) -> HttpResponse:
    """Log what the content security policy blocked: a browser's report, cut to a safe length."""
    body = request.read(MAX_REPORT)
    try:
        report = json.loads(body)["csp-report"]
        log.warning(
            "csp report: %r blocked by %r on %r",
            str(report.get("blocked-uri"))[:200],
            str(report.get("effective-directive", report.get("violated-directive")))[:200],
            str(report.get("document-uri"))[:200],
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        log.warning("csp report that is none: %r", body[:200])
    return HttpResponse(status=204)


@require_GET
def in_force(request: HttpRequest) -> HttpResponse:
    """Return the line that says on how many workers the policy is in force."""
    return render(request, "components/in_force.html", {"reach": generation.reach(timezone.now())})
