"""Look into the queue and the history behind it: what the panel's mail pages and `queue list` show.

Exact words (an address, a queue id, a Message-ID, a domain) are found by an index; anything else is looked for inside
addresses, names and Message-IDs, newest first, which reads rows until a page is full.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from django.db.models import Count, Exists, Min, OuterRef, Prefetch, Q, QuerySet
from django.utils import timezone

from mailadmin.accounts.addresses import AddressError, normal_domain
from mailadmin.accounts.models import Account
from mailadmin.queue.envelopes import first_id, parse_queue_id
from mailadmin.queue.models import Attempt, Message, Recipient, State

PAGE: Final = 50
Filter = Literal["all", "open", "waiting", "held", "sent", "failed", "cancelled"]
# Which states of at least one recipient put a message under a filter.
FILTERS: Final[dict[Filter, tuple[State, ...]]] = {
    "all": (),
    "open": (State.WAITING, State.DELIVERING, State.HELD),
    "waiting": (State.WAITING, State.DELIVERING),
    "held": (State.HELD,),
    "sent": (State.DELIVERED,),
    "failed": (State.FAILED,),
    "cancelled": (State.CANCELLED,),
}


@dataclass(frozen=True, slots=True)
class Page:
    """A page of messages, each with its recipients loaded (`message.recipients.all()`).

    Args:
        messages: at most `PAGE`, newest first.
        number: from 1.
        has_next: whether another page follows.
    """

    messages: Sequence[Message]
    number: int
    has_next: bool


@dataclass(frozen=True, slots=True)
class Counts:
    """The queue in numbers, of recipients; `today` begins at midnight of the active time zone.

    Args:
        waiting: those that wait, being delivered included.
        held: those that wait for a person.
        accepted_today: messages.
        delivered_today: recipients, as are the rest.
        failed_today: given up or refused.
        due_since: since when the most overdue of the waiting ones has been due; None when nothing is.
    """

    waiting: int
    held: int
    accepted_today: int
    delivered_today: int
    failed_today: int
    due_since: datetime | None


def search(
    text: str = "", *, state: Filter = "all", account: int | None = None, page: int = 1, size: int = PAGE
) -> Page:
    """Return a page of messages.

    Args:
        text: an address, a domain, a queue id or a Message-ID; or a part of an address or of a person's name.
        state: which messages.
        account: only mail that this account sent.
        page: from 1; lower numbers are taken for 1.
        size: messages a page.
    """
    number = max(page, 1)
    found = _in_state(Message.objects.all(), state)
    if account is not None:
        found = found.filter(account=account)
    if text.strip():
        found = found.filter(_matches(text.strip()))
    start = (number - 1) * size
    recipients = Prefetch("recipients", Recipient.objects.order_by("pk"))
    rows = list(found.order_by("-pk").select_related("account").prefetch_related(recipients)[start : start + size + 1])
    return Page(rows[:size], number, len(rows) > size)


def detail(message: int) -> Message | None:
    """Return a message with its account, recipients and their attempts (`recipient.tries.all()`), or None."""
    tries = Prefetch("tries", Attempt.objects.order_by("pk"))
    recipients = Prefetch("recipients", Recipient.objects.order_by("pk").prefetch_related(tries))
    return Message.objects.filter(pk=message).select_related("account").prefetch_related(recipients).first()


def counts(now: datetime) -> Counts:
    """Return the queue in numbers at `now`; every number is read from an index."""
    midnight = timezone.localtime(now).replace(hour=0, minute=0, second=0, microsecond=0)
    by_state = Recipient.objects.filter(state__in=FILTERS["open"]).values_list("state").annotate(Count("pk"))
    standing = dict(by_state.order_by("state"))
    finished = dict(
        Recipient.objects.filter(finished_at__gte=midnight).values_list("state").annotate(Count("pk")).order_by("state")
    )
    waiting = Recipient.objects.filter(state=State.WAITING)
    return Counts(
        waiting=standing.get(State.WAITING, 0) + standing.get(State.DELIVERING, 0),
        held=standing.get(State.HELD, 0),
        accepted_today=Message.objects.filter(pk__gte=first_id(midnight.timestamp())).count(),
        delivered_today=finished.get(State.DELIVERED, 0),
        failed_today=finished.get(State.FAILED, 0),
        due_since=waiting.filter(next_attempt_at__lte=now).aggregate(due=Min("next_attempt_at"))["due"],
    )


def _in_state(messages: QuerySet[Message], state: Filter) -> QuerySet[Message]:
    """Return those of `messages` that `state` lets through.

    Nearly all history is sent mail, so that filter asks message by message, newest first; the others begin with the
    few recipients that are in such a state.
    """
    states = FILTERS[state]
    if not states:
        return messages
    if state == "sent":
        return messages.filter(Exists(Recipient.objects.filter(message=OuterRef("pk"), state__in=states)))
    return messages.filter(pk__in=Recipient.objects.filter(state__in=states).values("message"))


def _matches(text: str) -> Q:
    """Return the condition that a message has to do with `text`."""
    queue_id = parse_queue_id(text)
    if queue_id is not None and Message.objects.filter(pk=queue_id).exists():
        return Q(pk=queue_id)
    forms = {text, text.lower()}
    if text.startswith("<") or (text.count("@") == 1 and not text.startswith("@")):
        exact = Q(message_id__in={*forms, f"<{text}>"}) | Q(sender__in=forms)
        exact |= Q(pk__in=Recipient.objects.filter(address__in=forms).values("message"))
        if Message.objects.filter(exact).exists():
            return exact
    domain = _domain(text)
    if domain and Recipient.objects.filter(domain=domain).exists():
        return Q(pk__in=Recipient.objects.filter(domain=domain).values("message")) | Q(sender__iendswith=f"@{domain}")
    part = Q(sender__icontains=text) | Q(message_id__icontains=text)
    part |= Q(account__in=Account.objects.filter(name__icontains=text).values("pk"))
    return part | Q(pk__in=Recipient.objects.filter(address__icontains=text).values("message"))


def _domain(text: str) -> str:
    """Return the domain that `text` names (with or without an @ before it), or nothing."""
    try:
        name = normal_domain(text.removeprefix("@"))
    except AddressError:
        return ""
    return name if "." in name or text.startswith("@") else ""
