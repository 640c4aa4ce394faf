"""Delivery in the settings: the way out for all mail, and other ways for some domains."""

from __future__ import annotations

from dataclasses import dataclass

from django.core.exceptions import ValidationError
from django.db.models import Case, Value, When
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from mailadmin.panel import flash
from mailadmin.panel.form_errors import accepted, first
from mailadmin.panel.requests import PanelRequest
from mailadmin.routing import services, smarthost_rows
from mailadmin.routing.forms import NewRouteForm, RouteForm
from mailadmin.routing.models import Route, Smarthost
from mailadmin.routing.smarthost_rows import Rows

DEFAULT = "*"


@require_safe
def delivery(request: HttpRequest) -> HttpResponse:
    """Show the ways out, the one for all other mail first."""
    first_the_default = Case(When(pattern=DEFAULT, then=Value(0)), default=Value(1))
    routes = Route.objects.prefetch_related("smarthosts").order_by(first_the_default, "pattern")
    return render(request, "settings/delivery.html", {"routes": routes})


@dataclass(slots=True)
class _Page:
    """The form of a route with its rows."""

    form: RouteForm
    rows: Rows
    route: Route | None

    def answer(self, request: HttpRequest, status: int = 200) -> HttpResponse:
        context = {"form": self.form, "rows": self.rows, "route": self.route, "default": DEFAULT}
        return render(request, "settings/route.html", context, status=status)


@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def route(request: PanelRequest, pattern: str) -> HttpResponse:
    """Show the way out for a pattern, and change it."""
    row = get_object_or_404(Route.objects.prefetch_related("smarthosts"), pattern=pattern)
    if request.method == "POST":
        return _posted(request, row)
    values = smarthost_rows.saved(row.smarthosts.all()) or [smarthost_rows.blank()]
    return _Page(RouteForm(initial={"via": row.via}), Rows(values, row.smarthosts.all()), row).answer(request)


@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def add_route(request: PanelRequest) -> HttpResponse:
    """Add a way out for some domains."""
    if request.method == "POST":
        return _posted(request, None)
    form = NewRouteForm(initial={"via": Route.Via.SMARTHOST})
    return _Page(form, Rows([smarthost_rows.blank()], []), None).answer(request)


def _posted(request: PanelRequest, row: Route | None) -> HttpResponse:
    """Save the form, or give it back with other rows when a button for rows was pressed."""
    kind = NewRouteForm if row is None else RouteForm
    known: list[Smarthost] = [] if row is None else list(row.smarthosts.all())
    values = smarthost_rows.posted(request.POST) or [smarthost_rows.blank()]
    if wish := request.POST.get("do", ""):
        unchecked = kind(initial={name: request.POST.get(name, "") for name in kind.base_fields})
        return _Page(unchecked, Rows(smarthost_rows.rearranged(values, wish), known), row).answer(request)
    form = kind(request.POST)
    by_smarthost = request.POST.get("via") == Route.Via.SMARTHOST
    rows = Rows(values, known, bound=by_smarthost)
    checked = form.is_valid(), rows.is_valid()
    if not all(checked):
        return _Page(form, rows, row).answer(request, 422)
    pattern = row.pattern if row else form.cleaned_data["pattern"]
    if row is None and Route.objects.filter(pattern=pattern.strip().lower()).exists():
        text = _("There is a route for %(pattern)s already: change that one.")
        form.add_error("pattern", text % {"pattern": pattern})
        return _Page(form, rows, row).answer(request, 422)
    if not accepted(
        form,
        lambda: services.set_route(
            actor=request.user.address,
            now=timezone.now(),
            pattern=pattern,
            via=form.cleaned_data["via"],
            smarthosts=rows.given() if by_smarthost else [],
        ),
    ):
        return _Page(form, rows, row).answer(request, 422)
    flash.done(request, _("The way out is saved."), policy=True)
    return redirect("settings:delivery")


@require_POST
def remove_route(request: PanelRequest, pattern: str) -> HttpResponse:
    """Remove the way out of a pattern; the wider one holds from now on."""
    row = get_object_or_404(Route, pattern=pattern)
    try:
        services.remove_route(row, actor=request.user.address, now=timezone.now())
    except ValidationError as error:
        flash.problem(request, first(error))
    else:
        text = _("The route for %(pattern)s is removed.") % {"pattern": pattern}
        flash.done(request, text, policy=True)
    return redirect("settings:delivery")
