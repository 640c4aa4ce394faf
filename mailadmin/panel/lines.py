"""An event as a line on the overview: its sign, its sentence, what is behind it, and where to read on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, assert_never
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.translation import gettext as _

from mailadmin.activity.models import Entry, SignIn
from mailadmin.activity.sentences import sentence
from mailadmin.activity.sign_in_reasons import OK, reason
from mailadmin.panel.events import Event
from mailadmin.panel.templatetags.foreign import foreign
from mailadmin.queue.envelopes import queue_id
from mailadmin.queue.models import Attempt

_DELIVERY: Final = {"delivered": ("ok", "circle-check"), "deferred": ("wait", "clock"), "failed": ("bad", "circle-x")}


@dataclass(frozen=True, slots=True)
class Line:
    """What the template shows of one event; `text` and `detail` are safe HTML or plain text."""

    event: Event
    tone: str
    icon: str
    text: str | Promise
    detail: str | Promise
    url: str
    repeated: bool = False


def line(event: Event, *, repeated: bool = False) -> Line:
    """Return the line for one event, in the language in force."""
    row = event.row
    if isinstance(row, SignIn):
        return _sign_in(event, row, repeated=repeated)
    if isinstance(row, Attempt):
        return _delivery(event, row)
    if isinstance(row, Entry):
        return _change(event, row)
    assert_never(row)


def lines(events: Iterable[Event], limit: int) -> list[Line]:
    """Return the newest `limit` lines of `events` (newest first); the same knock repeated in a row is one line."""
    found: list[Line] = []
    for event in events:
        if found and found[-1].event.repeat_key == event.repeat_key:
            found[-1] = line(found[-1].event, repeated=True)
        elif len(found) == limit:
            break
        else:
            found.append(line(event))
    return found


def _sign_in(event: Event, row: SignIn, *, repeated: bool) -> Line:
    who = foreign(row.account.address if row.account else row.login or _("Somebody"))
    protocol = row.tls.partition(" ")[0]  # the cipher is on the page of sign-ins
    listener = _("this panel") if row.listener == "panel" else row.listener
    where = " · ".join(part for part in (row.client, listener, row.mechanism, protocol) if part)
    url = f"{reverse('activity:sign_ins')}?{urlencode({'q': row.client})}"
    if row.result == OK:
        return Line(event, "ok", "log-in", format_html(_("{} signed in"), who), foreign(where), url)
    text = format_html(_("{} could not sign in: {}"), who, reason(row.result).label)
    return Line(event, "bad", "ban", text, foreign(where), url, repeated)


def _delivery(event: Event, row: Attempt) -> Line:
    to = foreign(row.recipient.address)
    tone, icon = _DELIVERY.get(row.outcome, ("quiet", "mail"))
    sentence = {
        "delivered": _("Delivered to {}"),
        "deferred": _("Not yet delivered to {}"),
        "failed": _("Could not be delivered to {}"),
    }.get(row.outcome, _("Tried: {}"))
    detail = row.peer if row.outcome == "delivered" else row.reply or row.peer
    if row.outcome == "delivered" and row.stage == "mailbox":
        detail = _("in the mailbox here")
    url = reverse("mail:message", args=[queue_id(row.recipient.message_id)])
    return Line(event, tone, icon, format_html(sentence, to), foreign(detail), url)


def _change(event: Event, row: Entry) -> Line:
    return Line(event, "info", "pencil", sentence(row), "", reverse("activity:list"))
