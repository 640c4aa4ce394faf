"""The request of somebody who is signed in, for annotations of views."""

from __future__ import annotations

from django.http import HttpRequest

from mailadmin.accounts.models import Account


class PanelRequest(HttpRequest):
    """A request that `SignInRequired` let through: its user is an administrator."""

    user: Account
