"""The Test button of a way out: the daemon's runner tries it, and the page shows each step as that process saw it.

With htmx the result grows beside the form. Without JavaScript the button opens the result as a page of its own, which
reloads itself until it is there; the form stays in its tab as it was typed.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST, require_safe

from mailadmin.generation.models import Process
from mailadmin.generation.services import SILENCE
from mailadmin.panel.templatetags.foreign import visible
from mailadmin.routing import services, smarthost_rows
from mailadmin.routing.forms import MxTestForm, SmarthostForm
from mailadmin.routing.models import RouteTest, Smarthost
from mailadmin.routing.smarthost_rows import Rows
from mailadmin.routing.trial_words import told
from mailadmin.routing.trials import PATIENCE


@never_cache
@sensitive_post_parameters()
@require_POST
def ask(request: HttpRequest) -> HttpResponse:
    """Ask the runner to try the row of the form whose Test button was pressed, or direct delivery to a domain."""
    wish, _dash, digits = request.POST.get("do", "").partition("-")
    if wish == "test_mx":
        return _ask_mx(request)
    rows = smarthost_rows.posted(request.POST)
    at = int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 3 else -1  # noqa: PLR2004  # rows have two digits
    if wish != "test" or not 0 <= at < len(rows):
        return HttpResponse(status=400)
    known = Smarthost.objects.exclude(password_sealed="")
    forms = Rows(rows, known, bound=True).forms
    form = forms[at]
    if not form.is_bound or not form.is_valid():
        return _refused(request, _row_sentence(form))
    given = form.given()
    target: dict[str, object] = {
        "host": given.host,
        "port": given.port,
        "tls": given.tls,
        "username": given.username,
        "ca_pem": given.ca_pem,
    }
    saved = form.saved if given.username else None
    return _answer(
        request, services.ask_test(now=timezone.now(), target=target, password=given.password, smarthost=saved)
    )


def _ask_mx(request: HttpRequest) -> HttpResponse:
    form = MxTestForm({"domain": request.POST.get("test_domain", "")})
    if not form.is_valid():
        return _refused(request, _("Type a domain to test with, such as one of your friends' addresses has."))
    target: dict[str, object] = {"via": "mx", "domain": form.cleaned_data["domain"].strip().lower()}
    return _answer(request, services.ask_test(now=timezone.now(), target=target))


def _row_sentence(form: SmarthostForm) -> str:
    """Return the first thing that is wrong with a row, with the name of its field."""
    if not form.is_bound:
        return _("Type the server's name first.")
    for field, messages in form.errors.items():
        label = form.fields[field].label if field in form.fields else ""
        return f"{label}: {messages[0]}" if label else str(messages[0])
    return _("Type the server's name first.")


def _refused(request: HttpRequest, sentence: str) -> HttpResponse:
    template = "settings/trial_part.html" if request.headers.get("HX-Request") else "settings/trial.html"
    return render(request, template, {"refused": sentence})


def _answer(request: HttpRequest, test: RouteTest) -> HttpResponse:
    if request.headers.get("HX-Request"):
        return _shown(request, test, "settings/trial_part.html")
    return redirect("settings:trial", test.pk)


@never_cache
@require_safe
def trial(request: HttpRequest, number: int) -> HttpResponse:
    """Show a test: what has come of it so far."""
    test = get_object_or_404(RouteTest, pk=number)
    if request.headers.get("HX-Request"):
        return _shown(request, test, "settings/trial_part.html")
    response = _shown(request, test, "settings/trial.html")
    if test.finished_at is None and not _is_over(test, timezone.now()):
        response.headers["Refresh"] = "2"
    return response


def _is_over(test: RouteTest, now: datetime) -> bool:
    """Whether nobody will answer any more."""
    return test.finished_at is not None or now - test.asked_at > PATIENCE


def _shown(request: HttpRequest, test: RouteTest, template: str) -> HttpResponse:
    now = timezone.now()
    waits = test.finished_at is None and not _is_over(test, now)
    context = {
        "test": test,
        "target": _named(test.target),
        "steps": [told(step) for step in test.steps],
        "waits": waits,
        "nobody": waits and not _somebody_listens(now),
        "poll": reverse("settings:trial", args=[test.pk]),
    }
    return render(request, template, context)


def _somebody_listens(now: datetime) -> bool:
    return Process.objects.filter(role="runner", heartbeat_at__gte=now - SILENCE).exists()


def _named(target: Mapping[str, object]) -> str:
    if target.get("via") == "mx":
        return visible(str(target.get("domain", "")))
    return visible(f"{target.get('host', '')}:{target.get('port', '')}")
