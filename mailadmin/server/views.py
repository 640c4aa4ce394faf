"""The first run: a one-time link, then three pages. `manage.py setup` does the same through `server.setup`."""

from __future__ import annotations

from typing import Final

from django.contrib.auth import login
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_safe

from mailadmin.accounts import once
from mailadmin.accounts import services as accounts
from mailadmin.accounts.models import Account
from mailadmin.panel import flash, form_errors
from mailadmin.panel.requests import PanelRequest
from mailadmin.panel.sign_in import BACKEND
from mailadmin.routing import services as routing
from mailadmin.routing import smarthost_rows, targets
from mailadmin.routing.models import Domain, Route, Smarthost
from mailadmin.routing.smarthost_rows import Rows
from mailadmin.routing.targets import WayOut
from mailadmin.server import first_run, services, setup
from mailadmin.server.forms import AdministratorForm, FirstAccountForm, ServerForm
from mailadmin.server.models import Server

ACTOR: Final = "first run"
_DOMAIN: Final = "first-run-domain"
UNPROCESSABLE: Final = 422
GONE: Final = 410


@never_cache
@login_not_required
@require_safe
def enter(request: HttpRequest, token: str) -> HttpResponse:
    """Exchange the link's token for a mark in the session, and begin."""
    now = timezone.now()
    if services.is_set_up():
        return _over(request)
    if not services.check_setup_token(token, now):
        return render(request, "setup/expired.html", status=GONE)
    first_run.enter(request.session, now)
    return redirect("setup:administrator")


def _over(request: HttpRequest) -> HttpResponse:
    first_run.leave(request.session)
    return render(request, "setup/over.html", status=GONE)


@never_cache
@login_not_required
@sensitive_post_parameters("password", "suggestion")
@require_http_methods(["GET", "HEAD", "POST"])
def administrator(request: HttpRequest) -> HttpResponse:
    """Page 1: the administrator, who is signed in by it."""
    if services.is_set_up():
        return _over(request)
    if not first_run.is_inside(request.session, timezone.now()):
        return render(request, "setup/expired.html", status=GONE)
    form = AdministratorForm(request.POST or None, initial={"suggestion": accounts.generate_password()})
    if request.method == "POST" and form.is_valid():
        try:
            outcome = setup.make_administrator(
                actor=ACTOR,
                now=timezone.now(),
                address=form.cleaned_data["address"],
                password=form.chosen,
                name=form.cleaned_data["name"],
            )
        except ValidationError as error:
            form_errors.take(form, error)
        else:
            if outcome.password:
                once.keep(request.session, outcome.administrator, outcome.password)
            login(request, outcome.administrator, backend=BACKEND)
            return redirect("setup:server")
    context = {"form": form, "step": 1, "suggestion": form["suggestion"].value()}
    return render(request, "setup/administrator.html", context, status=UNPROCESSABLE if form.errors else None)


@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def server(request: PanelRequest) -> HttpResponse:
    """Page 2: the server's name, the mail domain, and how mail leaves."""
    if services.is_set_up():
        return redirect("panel:overview")
    services.initialise(timezone.now())
    saved = Smarthost.objects.filter(route__pattern="*")
    if request.method == "POST":
        form = ServerForm(request.POST)
        rows = Rows(smarthost_rows.posted(request.POST), saved, bound=True)
        if form.is_valid() and _save(request, form, rows):
            return redirect("setup:account")
        status = UNPROCESSABLE
    else:
        form = ServerForm(initial=_known(request))
        rows = Rows(smarthost_rows.saved(saved) or [smarthost_rows.blank()], saved)
        status = None
    return render(request, "setup/server.html", {"form": form, "rows": rows, "step": 2}, status=status)


def _known(request: PanelRequest) -> dict[str, object]:
    """Return what is known or can be guessed of page 2."""
    domain = request.session.get(_DOMAIN) or request.user.address.rpartition("@")[2]
    initial: dict[str, object] = {"domain": domain}
    named = Server.objects.values_list("hostname", flat=True).get(pk=1)
    begun = _DOMAIN in request.session
    initial["hostname"] = named if begun else first_run.suggested_hostname(request.get_host(), domain)
    if begun:
        initial["via"] = Route.objects.values_list("via", flat=True).filter(pattern="*").first()
    return initial


def _save(request: PanelRequest, form: ServerForm, rows: Rows) -> bool:
    """Save page 2 and say whether it could be; the form and its rows then know why not."""
    values = form.cleaned_data
    if values["via"] == Route.Via.SMARTHOST:
        if not rows.is_valid():
            return False
        if not rows.given():
            form.add_error("via", _("Type the smarthost’s server name below, or choose another way."))
            return False
    smarthosts = rows.given() if values["via"] == Route.Via.SMARTHOST else []
    try:
        _configure(request, values["hostname"], values["domain"], WayOut(values["via"], tuple(smarthosts)))
    except ValidationError as error:
        if hasattr(error, "error_dict") and "name" in error.error_dict:
            error.error_dict["domain"] = error.error_dict.pop("name")
        form_errors.take(form, error)
        return False
    return True


@transaction.atomic
def _configure(request: PanelRequest, hostname: str, domain: str, way_out: WayOut) -> None:
    """Write page 2 down; a domain that this first run named before and names otherwise now goes."""
    now, actor = timezone.now(), request.user.address
    before = request.session.get(_DOMAIN)
    setup.configure(actor=actor, now=now, hostname=hostname, domain=domain, way_out=way_out)
    name = targets.domain_name(domain)
    if before and before != name:
        for old in Domain.objects.filter(name=before):
            routing.remove_domain(old, actor=actor, now=now)
    request.session[_DOMAIN] = name


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def account(request: PanelRequest) -> HttpResponse:
    """Page 3: the first account, whose own page then waits for its mail program."""
    if services.is_set_up():
        return redirect("panel:overview")
    if _DOMAIN not in request.session and not Domain.objects.exists():
        return redirect("setup:server")
    form = FirstAccountForm(request.POST or None, administrator=request.user.address)
    if request.method == "POST" and form.is_valid():
        try:
            first = _finish(request, form)
        except ValidationError as error:
            form_errors.take(form, error)
        else:
            first_run.leave(request.session)
            request.session.pop(_DOMAIN, None)
            text = _(
                "The server is set up. Now type these settings into a mail program; this page shows when it signs in."
            )
            flash.done(request, text)
            return HttpResponseRedirect(f"/accounts/{first.pk}/")
    context = {"form": form, "step": 3}
    return render(request, "setup/account.html", context, status=UNPROCESSABLE if form.errors else None)


@transaction.atomic
def _finish(request: PanelRequest, form: FirstAccountForm) -> Account:
    """Add the first account unless it is the administrator's, and end the first run."""
    now, actor = timezone.now(), request.user.address
    first = request.user
    if form.cleaned_data["who"] == "other":
        password = accounts.generate_password()
        first = accounts.add(
            actor=actor,
            now=now,
            address=form.cleaned_data["address"],
            password=password,
            name=form.cleaned_data["name"],
        )
        once.keep(request.session, first, password)
    services.finish_setup(actor=actor, now=now)
    return first
