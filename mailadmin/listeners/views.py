"""Listeners in the settings: where mail programs and other servers find us."""

from __future__ import annotations

from typing import Any, Final

from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from mailadmin.generation.models import Process
from mailadmin.generation.services import SILENCE
from mailadmin.listeners import services
from mailadmin.listeners.forms import ListenerForm, NewListenerForm
from mailadmin.listeners.models import Listener
from mailadmin.panel import flash
from mailadmin.panel.form_errors import accepted, first
from mailadmin.panel.problems import in_words
from mailadmin.panel.requests import PanelRequest

_NEW: Final[dict[str, Any]] = {
    "enabled": True,
    "address": "0.0.0.0",  # noqa: S104  # a mail server listens to everybody
    "address6": "::",
    "max_connections": 2000,
    "max_connections_per_address": 50,
}


@require_safe
def listeners(request: HttpRequest) -> HttpResponse:
    """Show the listeners, each with what keeps it from listening."""
    alive = Process.objects.filter(heartbeat_at__gte=timezone.now() - SILENCE)
    problems = {str(problem) for process in alive for problem in process.problems}
    rows = []
    for listener in Listener.objects.all():
        mine = sorted(problem for problem in problems if f"({listener.name})" in problem)
        rows.append({"listener": listener, "problems": [in_words(problem) for problem in mine]})
    return render(request, "settings/listeners.html", {"rows": rows})


@require_http_methods(["GET", "HEAD", "POST"])
def listener(request: PanelRequest, name: str) -> HttpResponse:
    """Show one listener's settings and save them."""
    row = get_object_or_404(Listener, name=name)
    form = ListenerForm(request.POST) if request.method == "POST" else ListenerForm.of(row)
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data
        if accepted(form, lambda: services.change(row, actor=request.user.address, now=timezone.now(), **values)):
            flash.done(request, _("The listener %(name)s is saved.") % {"name": name}, policy=True)
            return redirect("settings:listeners")
    status = 422 if form.is_bound else 200
    return render(request, "settings/listener.html", {"form": form, "listener": row}, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
def add(request: PanelRequest) -> HttpResponse:
    """Add a listener."""
    form = NewListenerForm(request.POST) if request.method == "POST" else NewListenerForm(initial=_NEW)
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data
        if accepted(form, lambda: services.add(actor=request.user.address, now=timezone.now(), **values)):
            flash.done(request, _("The listener %(name)s is added.") % {"name": values["name"]}, policy=True)
            return redirect("settings:listeners")
    return render(request, "settings/listener_add.html", {"form": form}, status=422 if form.is_bound else 200)


@require_POST
def switch(request: PanelRequest, name: str, to: str) -> HttpResponse:
    """Turn a listener on or off; the way back is offered as Undo."""
    row = get_object_or_404(Listener, name=name)
    on = to == "on"
    try:
        services.change(row, actor=request.user.address, now=timezone.now(), enabled=on)
    except ValidationError as error:
        flash.problem(request, first(error))
    else:
        text = _("The listener %(name)s is on.") if on else _("The listener %(name)s is off.")
        undo = reverse("settings:listener_switch", args=[name, "off" if on else "on"])
        flash.done(request, text % {"name": name}, undo=undo, policy=True)
    return redirect("settings:listeners")


@require_POST
def remove(request: PanelRequest, name: str) -> HttpResponse:
    """Remove a listener."""
    services.remove(get_object_or_404(Listener, name=name), actor=request.user.address, now=timezone.now())
    flash.done(request, _("The listener %(name)s is removed.") % {"name": name}, policy=True)
    return redirect("settings:listeners")
