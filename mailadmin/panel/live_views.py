"""The stream of what happens, and the same rows for those who cannot have a stream.

Both take `show` (which rows: one of `SHOWS`), `after` (the marks that the page has seen, see `events.Marks`) and
`account` (only what concerns this account).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.template.loader import render_to_string
from django.utils import timezone, translation
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from mailadmin.panel.events import KINDS, Event, Kind, Marks, latest, since
from mailadmin.panel.lines import line
from mailadmin.panel.live import BROADCASTER, Full, Stream

BACKLOG: Final = 50  # rows of each kind that a reader who comes back is told


@dataclass(frozen=True, slots=True)
class Show:
    """A way to show events: which kinds, and the template of one row."""

    kinds: tuple[Kind, ...]
    template: str


SHOWS: Final = {
    "events": Show(KINDS, "panel/overview_event.html"),
    "sign-ins": Show(("sign-in",), "sign_ins/row.html"),
}


@dataclass(frozen=True, slots=True)
class Wish:
    """What a reader asked for."""

    show: Show
    after: Marks | None
    account: int | None

    @classmethod
    def of(cls, request: HttpRequest) -> Wish | None:
        """Return the wish in the query string, or None when it makes no sense."""
        show = SHOWS.get(request.GET.get("show", "events"))
        account = request.GET.get("account", "")
        if show is None or not (account == "" or (account.isascii() and account.isdigit() and len(account) < 19)):  # noqa: PLR2004  # of 64 bits
            return None
        seen = request.headers.get("Last-Event-ID") or request.GET.get("after")
        return cls(show, Marks.parse(seen), int(account) if account else None)

    def wants(self, event: Event) -> bool:
        """Whether the reader shows this event."""
        return event.kind in self.show.kinds and self.account in (None, event.account)

    def missed(self) -> list[Event]:
        """Return what happened since the reader last looked, oldest first."""
        if self.after is None:
            return []
        return since(self.after, BACKLOG, self.show.kinds, self.account)


@never_cache
@require_GET
def stream(request: HttpRequest) -> HttpResponseBase:
    """Send rows as they come, as server-sent events; 503 when all places are taken."""
    wish = Wish.of(request)
    if wish is None:
        return HttpResponse(status=400)
    try:
        subscription = BROADCASTER.subscribe()
    except Full:
        return HttpResponse(status=503, headers={"Retry-After": "5"})
    try:
        # After subscribing, so that nothing falls between the two; the stream drops what comes by both ways.
        marks = wish.after or latest()
        body = Stream(subscription, wish.missed(), _renderer(wish, marks), request.META.get("gunicorn.socket"))
    except BaseException:
        subscription.close()
        raise
    return StreamingHttpResponse(body, content_type="text/event-stream", headers={"X-Accel-Buffering": "no"})


@never_cache
@require_GET
def rows(request: HttpRequest) -> HttpResponse:
    """Return the rows since `after`, newest first, and in the header ``Live-After`` what to ask with next time."""
    wish = Wish.of(request)
    if wish is None:
        return HttpResponse(status=400)
    events = wish.missed()
    marks = (wish.after or latest()).past(events)
    text = "".join(_row(wish, event) for event in reversed(events))
    return HttpResponse(text, headers={"Live-After": str(marks)})


def _row(wish: Wish, event: Event) -> str:
    return render_to_string(wish.show.template, {"line": line(event), "sign_in": event.row, "explain": True})


def _renderer(wish: Wish, marks: Marks) -> Callable[[Event], str | None]:
    """Return the function that makes one event a frame, in the language and the time zone of this request."""
    language, zone = translation.get_language(), timezone.get_current_timezone()
    seen = marks

    def render(event: Event) -> str | None:
        nonlocal seen
        if not wish.wants(event):
            return None
        seen = seen.past([event])
        with translation.override(language), timezone.override(zone):
            row = _row(wish, event)
        data = "".join(f"data: {text}\n" for text in row.splitlines() if text.strip())
        return f"id: {seen}\nevent: row\n{data}\n"

    return render
