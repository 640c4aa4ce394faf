"""Mail: what waits, what was sent, what failed, and what an administrator can do about it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, cast

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from mailadmin.panel import flash
from mailadmin.panel.requests import PanelRequest
from mailadmin.queue import browse, services, story
from mailadmin.queue.envelopes import parse_queue_id, queue_id
from mailadmin.queue.models import FINAL_STATES, Message, State
from mailadmin.queue.services import Selection
from mailadmin.server.models import Server

CHIPS: Final = (
    ("all", gettext_lazy("All")),
    ("waiting", gettext_lazy("Waiting")),
    ("held", gettext_lazy("Held")),
    ("sent", gettext_lazy("Sent")),
    ("failed", gettext_lazy("Failed")),
    ("cancelled", gettext_lazy("Cancelled")),
)


@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """List mail, newest first, by search and state in the URL."""
    query, chip = request.GET.get("q", "").strip(), _chip(request.GET.get("state", "all"))
    page = browse.search(query, state=chip, page=_number(request.GET.get("page", "1")))
    context = {
        "lines": [story.line(message) for message in page.messages],
        "number": page.number,
        "has_next": page.has_next,
        "query": query,
        "chip": chip,
        "chips": CHIPS,
        "is_filtered": bool(query) or chip != "all",
        "paused": _is_paused(),
    }
    return render(request, "mail/list.html", context)


def _chip(text: str) -> browse.Filter:
    return cast("browse.Filter", text) if text in dict(CHIPS) else "all"


def _number(text: str) -> int:
    return max(1, int(text)) if text.isascii() and text.isdigit() and len(text) < 7 else 1  # noqa: PLR2004  # nobody reads further


def _is_paused() -> bool:
    return Server.objects.filter(pk=1, queue_paused=True).exists()


def _found(text: str) -> Message:
    number = parse_queue_id(text)
    message = None if number is None else browse.detail(number)
    if message is None:
        raise Http404
    return message


@require_safe
def message(request: HttpRequest, number: str) -> HttpResponse:
    """Show one message: where it came from, each try, why it waits, what can be done."""
    return render(request, "mail/message.html", _told(_found(number)))


@never_cache
@require_safe
def progress(request: HttpRequest, number: str) -> HttpResponse:
    """Return the part of the page that changes while mail is under way; 204 while nothing has changed."""
    found = _found(number)
    if request.GET.get("seen") == story.version(found):
        return HttpResponse(status=204)
    return render(request, "mail/progress.html", _told(found))


def _told(found: Message) -> dict[str, object]:
    paused = _is_paused()
    told = story.stories(found, paused=paused)
    states = {each.recipient.state for each in told}
    return {
        "message": found,
        "id": queue_id(found.pk),
        "accepted": story.accepted(found),
        "stories": told,
        "labels": story.labels(each.recipient for each in told),
        "version": story.version(found),
        "is_open": not states <= set(FINAL_STATES),
        "paused": paused,
        "can_retry": State.WAITING in states,
        "can_hold": State.WAITING in states,
        "can_release": any(
            each.recipient.state == State.HELD and each.recipient.hold_reason != "account" for each in told
        ),
        "can_end": bool(states & {State.WAITING, State.HELD}),
    }


# What a button does: the service, what is said when it changed something, and the verb that takes it back.
_Act = tuple[Callable[..., int], str | Promise, str]
ACTS: Final[dict[str, _Act]] = {
    "retry": (services.retry, gettext_lazy("It is tried again now."), ""),
    "hold": (services.hold, gettext_lazy("The mail is held until you release it."), "release"),
    "release": (services.release, gettext_lazy("The mail is released and tried now."), "hold"),
    "cancel": (services.cancel, gettext_lazy("The mail is cancelled; nobody was told."), ""),
    "return": (services.give_back, gettext_lazy("The mail is on its way back to its sender."), ""),
}


@require_POST
def act(request: PanelRequest, number: str, verb: str) -> HttpResponse:
    """Do one of `ACTS` to a message, or to one recipient of it."""
    found = parse_queue_id(number)
    if found is None or not Message.objects.filter(pk=found).exists():
        raise Http404
    recipient = request.POST.get("recipient", "")
    only = [int(recipient)] if recipient.isascii() and recipient.isdigit() and len(recipient) < 19 else None  # noqa: PLR2004  # of 64 bits
    service, text, back = ACTS[verb]
    chosen = Selection(messages=[found], recipients=only)
    if service(chosen, actor=request.user.address, now=timezone.now()):
        undo = reverse("mail:act", args=[number, back]) if back and only is None else ""
        flash.done(request, str(text), undo=undo)
    else:
        flash.problem(request, _("Nothing changed: meanwhile the mail is being delivered, or it is done with."))
    return redirect("mail:message", number)


@require_POST
def retry_shown(request: PanelRequest) -> HttpResponse:
    """Try waiting mail again now: all of it, or what a search on the list page has found."""
    query = request.POST.get("q", "").strip()
    chosen = Selection(everything=True)
    if query:
        page = browse.search(query, state="waiting", page=_number(request.POST.get("page", "1")))
        chosen = Selection(messages=[found.pk for found in page.messages])
    changed = services.retry(chosen, actor=request.user.address, now=timezone.now())
    if changed:
        text = ngettext("%(number)d mail is tried again now.", "%(number)d mails are tried again now.", changed)
        flash.done(request, text % {"number": changed})
    else:
        flash.problem(request, _("No mail waits for another try."))
    return _back(request)


@require_POST
def pause(request: PanelRequest) -> HttpResponse:
    """Stop all delivery."""
    services.pause(actor=request.user.address, now=timezone.now())
    flash.done(request, _("Delivery is paused: mail is accepted and waits."), undo=reverse("mail:resume"), policy=True)
    return _back(request)


@require_POST
def resume(request: PanelRequest) -> HttpResponse:
    """Go on with delivery."""
    services.resume(actor=request.user.address, now=timezone.now())
    flash.done(request, _("Delivery goes on."), undo=reverse("mail:pause"), policy=True)
    return _back(request)


def _back(request: HttpRequest) -> HttpResponseRedirect:
    """Return to the page the button stood on."""
    target = request.POST.get("next", "")
    allowed = target and url_has_allowed_host_and_scheme(target, allowed_hosts=None)
    return HttpResponseRedirect(target if allowed else reverse("mail:list"))
