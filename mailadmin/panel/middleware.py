"""Who may see a page, and in which time zone times are written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils import timezone
from django_htmx.http import HttpResponseClientRefresh

from mailadmin.panel import preferences


class SignInRequired(LoginRequiredMiddleware):
    """Lets only who is signed in see a page, unless its view is marked ``login_not_required``.

    Only administrators can be signed in: `AddressBackend` asks at each request. A fragment that htmx asked for after
    the session ended reloads its whole page, which then leads to the sign-in page.
    """

    def handle_no_permission(  # type: ignore[override]  # the stubs promise a redirect; any answer will do
        self, request: HttpRequest, view_func: Callable[..., Any]
    ) -> HttpResponseBase:
        """Return the way to the sign-in page."""
        if request.headers.get("HX-Request"):
            return HttpResponseClientRefresh()
        return super().handle_no_permission(request, view_func)


class BrowserTimeZone:
    """Activates the time zone that the browser told (see `preferences.zone`)."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer `request` with times in its browser's zone."""
        with timezone.override(preferences.zone(request)):
            return self.get_response(request)
