"""Pages for when there is no page: an address that leads nowhere, a form that is not ours, a database that is down.

They ask neither database nor session, so that they can be shown while those do not answer, and they tell strangers
nothing about the machine: the reason is told by ``manage.py doctor`` and the log.
"""

from __future__ import annotations

import sys
from typing import Final

from django.contrib.auth.models import AnonymousUser
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

_RETRY_AFTER: Final = "5"  # seconds
_UNAVAILABLE: Final = (OperationalError, InterfaceError)


def _page(request: HttpRequest, status: int, *, title: str, purpose: str, text: str, again: bool) -> HttpResponse:
    """Return a page in words; `again` offers the same address once more, the overview otherwise."""
    # These two would be read from the session.
    nobody = {"user": AnonymousUser(), "messages": ()}
    url = request.get_full_path() if again and request.method == "GET" else "/"
    context = {"title": title, "purpose": purpose, "text": text, "again": again, "url": url, **nobody}
    response = render(request, "panel/failure.html", context, status=status)
    response["Cache-Control"] = "no-store"
    return response


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Say that the address leads nowhere, or no more."""
    del exception
    return _page(
        request,
        404,
        title=_("There is no such page"),
        purpose=_("What it was about may have been removed."),
        text=_("Go on from the overview."),
        again=False,
    )


def fault(request: HttpRequest) -> HttpResponse:
    """Say that the database does not answer (503), or that this program has a fault (500); Django has logged it."""
    if not isinstance(sys.exception(), _UNAVAILABLE):
        return _page(
            request,
            500,
            title=_("This page has a fault"),
            purpose=_("It is the program’s, not yours. Mail goes on as before."),
            text=_("The server’s log has the details; please report it to whoever looks after this server."),
            again=True,
        )
    response = _page(
        request,
        503,
        title=_("The database cannot be used at the moment"),
        purpose=_("What you were doing may have to be done again. No mail that was accepted is lost."),
        text=_("If this stays, run “manage.py doctor” on the server. It says why, and what to do."),
        again=True,
    )
    response["Retry-After"] = _RETRY_AFTER
    return response


def forged(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Say that a form was not accepted, since it did not come from a page of this session."""
    del reason
    return _page(
        request,
        403,
        title=_("This form was not accepted"),
        purpose=_("It came from another site, or from a page that was open since before you logged in."),
        text=_("Open the page anew, and send the form from there. The browser must accept cookies."),
        again=False,
    )
