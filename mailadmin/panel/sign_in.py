"""Signing in to the panel and out of it.

Each try leaves a sign-in event with "panel" as its listener. The session's key changes at sign-in (no fixation) and
the session ends with a change of password (Django's session hash). An unknown address costs as much time as a wrong
password.
"""

from __future__ import annotations

import time
from typing import Final

from django import forms
from django.conf import settings
from django.contrib.auth import login, logout
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from mailadmin.accounts.models import Account
from mailadmin.activity import services as activity
from mailadmin.panel import preferences
from mailadmin.panel.throttle import Busy, Throttle
from mailadmin.queue.envelopes import SignInEvent
from mailadmin.server import services as server

BACKEND: Final = "mailadmin.accounts.backend.AddressBackend"
NOT_ADMINISTRATOR: Final = "administrator"
throttle = Throttle()


class SignInForm(forms.Form):
    """An address and a password."""

    address = forms.CharField(
        label=gettext_lazy("Address"),
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "username", "autofocus": True}),
    )
    password = forms.CharField(
        label=gettext_lazy("Password"),
        max_length=1024,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )


def _examine(address: str, password: str) -> tuple[Account | None, str]:
    """Return the account that `address` names and the result of the try, as `SignIn.result` has it."""
    try:
        account = Account.objects.get_by_natural_key(address)
    except Account.DoesNotExist:
        Account().set_password(password)  # as long as a check
        return None, "unknown"
    if not account.check_password(password):
        return account, "password"
    if not account.is_active:
        return account, "suspended"
    return account, "ok" if account.is_administrator else NOT_ADMINISTRATOR


def _note(request: HttpRequest, login_name: str, account: Account | None, result: str) -> None:
    activity.add_sign_ins(
        [
            SignInEvent(
                at=timezone.now(),
                account=account.pk if account else None,
                login=login_name,
                listener="panel",
                client=request.META.get("REMOTE_ADDR", ""),
                mechanism="",
                tls="https" if request.is_secure() else "",
                helo="",
                result=result,
            )
        ]
    )


def _welcome(request: HttpRequest, account: Account) -> HttpResponse:
    """Open the session of `account` and go where it wanted to."""
    login(request, account, backend=BACKEND)
    target = request.POST.get("next", "")
    safe = url_has_allowed_host_and_scheme(target, allowed_hosts=None)
    response = HttpResponseRedirect(target if safe else "/")
    if not server.is_set_up():
        response = redirect("setup:server")  # the first run was left half-way
    if account.language in dict(settings.LANGUAGES):
        preferences.remember(response, settings.LANGUAGE_COOKIE_NAME, account.language)
    return response


def _attempt(request: HttpRequest, form: SignInForm) -> HttpResponse | None:
    """Try the form's address and password; None: the form now says why not."""
    client = request.META.get("REMOTE_ADDR", "")
    seconds = throttle.wait(client, time.monotonic())
    if seconds:
        minutes = -(-seconds // 60)
        text = ngettext(
            "Too many wrong passwords from here. Try again in %(minutes)d minute.",
            "Too many wrong passwords from here. Try again in %(minutes)d minutes.",
            minutes,
        )
        form.add_error(None, text % {"minutes": minutes})
        return None
    try:
        with throttle.turn():
            account, result = _examine(form.cleaned_data["address"], form.cleaned_data["password"])
    except Busy:
        form.add_error(None, _("Many people are signing in at this moment. Try again in a few seconds."))
        return None
    _note(request, form.cleaned_data["address"], account, result)
    if account is not None and result == "ok":
        throttle.forgive(client)
        return _welcome(request, account)
    if result == NOT_ADMINISTRATOR:
        return render(request, "panel/administrators_only.html", {"account": account}, status=403)
    throttle.failed(client, time.monotonic())
    if result == "suspended":
        form.add_error(None, _("This account is suspended. Another administrator can resume it."))
    else:
        form.add_error(None, _("The address or the password is wrong."))
    return None


@never_cache
@login_not_required
@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
def log_in(request: HttpRequest) -> HttpResponse:
    """Show the sign-in page, or sign in."""
    if request.user.is_authenticated:
        return HttpResponseRedirect("/")
    form = SignInForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        answer = _attempt(request, form)
        if answer is not None:
            return answer
    context = {
        "form": form,
        "next": request.POST.get("next") or request.GET.get("next", ""),
        "is_set_up": server.is_set_up(),
    }
    return render(request, "panel/login.html", context, status=422 if form.errors else None)


@login_not_required
@require_POST
def log_out(request: HttpRequest) -> HttpResponse:
    """End the session."""
    logout(request)
    return HttpResponseRedirect("/login/")
