"""Domains in the settings: whose mailboxes are here."""

from __future__ import annotations

from urllib.parse import urlencode

from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from mailadmin.panel import flash
from mailadmin.panel.form_errors import accepted, first
from mailadmin.panel.requests import PanelRequest
from mailadmin.routing import services
from mailadmin.routing.forms import DeliveryForm, NewDomainForm
from mailadmin.routing.models import Domain


@require_http_methods(["GET", "HEAD", "POST"])
def domains(request: PanelRequest) -> HttpResponse:
    """Show the local domains, and add one."""
    form = NewDomainForm(request.POST) if request.method == "POST" else NewDomainForm()
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data
        if accepted(form, lambda: services.add_domain(actor=request.user.address, now=timezone.now(), **values)):
            flash.done(request, _("Mail for %(name)s is kept here now.") % {"name": values["name"]}, policy=True)
            return redirect("settings:domains")
    context = {"form": form, "domains": Domain.objects.all()}
    return render(request, "settings/domains.html", context, status=422 if form.is_bound else 200)


@require_http_methods(["GET", "HEAD", "POST"])
def domain(request: PanelRequest, name: str) -> HttpResponse:
    """Show who keeps the mailboxes of a domain, and change it."""
    row = get_object_or_404(Domain, name=name)
    form = DeliveryForm(request.POST) if request.method == "POST" else DeliveryForm.of(row)
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data
        if accepted(
            form, lambda: services.change_domain(row, actor=request.user.address, now=timezone.now(), **values)
        ):
            flash.done(request, _("The domain %(name)s is saved.") % {"name": name}, policy=True)
            return redirect("settings:domains")
    return render(request, "settings/domain.html", {"form": form, "domain": row}, status=422 if form.is_bound else 200)


@require_POST
def remove_domain(request: PanelRequest, name: str) -> HttpResponse:
    """Make a domain foreign; mailboxes stay, and Undo brings it back as it was."""
    row = get_object_or_404(Domain, name=name)
    as_it_was = urlencode({"delivery": row.delivery, "lmtp_target": row.lmtp_target, "node": row.node})
    try:
        services.remove_domain(row, actor=request.user.address, now=timezone.now())
    except ValidationError as error:
        flash.problem(request, first(error))
    else:
        undo = f"{reverse('settings:domain_restore', args=[name])}?{as_it_was}"
        text = _("Mail for %(name)s follows the routes now. Its mailboxes are kept.") % {"name": name}
        flash.done(request, text, undo=undo, policy=True)
    return redirect("settings:domains")


@require_POST
def restore_domain(request: PanelRequest, name: str) -> HttpResponse:
    """Take a removal back."""
    as_it_was = {field: request.GET.get(field, "") for field in ("delivery", "lmtp_target", "node")}
    try:
        services.add_domain(actor=request.user.address, now=timezone.now(), name=name, **as_it_was)
    except ValidationError as error:
        flash.problem(request, first(error))
    else:
        flash.done(request, _("Mail for %(name)s is kept here again.") % {"name": name}, policy=True)
    return redirect("settings:domains")
