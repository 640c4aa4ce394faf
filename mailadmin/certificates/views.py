"""The certificate in the settings: what is served, for how long, and a fresh one at a click."""

from __future__ import annotations

from typing import Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from mailadmin.certificates import services
from mailadmin.certificates.models import Certificate
from mailadmin.listeners.models import Listener
from mailadmin.panel import flash
from mailadmin.panel.requests import PanelRequest

EARLIER: Final = 10  # certificates of the past that the page lists


@require_safe
def certificate(request: HttpRequest) -> HttpResponse:
    """Show the certificate in use and the ones before it."""
    current = services.in_use()
    older = Certificate.objects.all() if current is None else Certificate.objects.exclude(pk=current.pk)
    context: dict[str, object] = {
        "certificate": current,
        "earlier": older[:EARLIER],
        "listeners": Listener.objects.filter(enabled=True),
        "self_signed": current is not None and current.source == services.SELF_SIGNED,
    }
    if current is not None:
        now = timezone.now()
        context["days"] = (current.not_after - now).days
        context["days_in_all"] = (current.not_after - current.not_before).days
        context["fingerprint"] = pairs(current.fingerprint)
    return render(request, "settings/certificate.html", context)


def pairs(fingerprint: str) -> str:
    """Return a fingerprint as mail programs show it: upper-case pairs with colons."""
    upper = fingerprint.upper()
    return ":".join(upper[at : at + 2] for at in range(0, len(upper), 2))


@require_POST
def rotate(request: PanelRequest) -> HttpResponse:
    """Put a fresh self-signed certificate in use."""
    services.rotate(actor=request.user.address, now=timezone.now())
    text = _("A new certificate is in use; connections that are open live on with the old one.")
    flash.done(request, text, policy=True)
    return redirect("settings:certificate")
