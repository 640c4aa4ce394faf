"""What the overview counts, in one query, and what the checks of `mailadmin.panel.health` look at, in four more."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db.models import Count, IntegerField, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce
from django.utils import timezone

from mailadmin.accounts.models import Account
from mailadmin.activity.models import SignIn
from mailadmin.activity.sign_in_reasons import OK
from mailadmin.certificates.models import Certificate
from mailadmin.generation.models import Process
from mailadmin.generation.services import SILENCE
from mailadmin.queue.envelopes import first_id
from mailadmin.queue.models import Attempt, Message, Recipient, State
from mailadmin.server.models import Server

# Tries that are looked through for a smarthost that refuses our password.
RECENT_TRIES: Final = 50
# Mail that has waited longer than this makes the queue look stuck, when it was tried at all.
STUCK_AFTER: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Counts:
    """The numbers of the overview; "today" begins at midnight of the person who looks."""

    people: int  # accounts that may send
    sent: int  # messages accepted today
    waiting: int  # recipients, held ones not included
    held: int
    failed: int  # recipients, today
    refused: int  # sign-ins, today
    stuck: int  # recipients that wait for longer than STUCK_AFTER and were tried


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything the checks need to know."""

    now: datetime
    server: Server | None
    counts: Counts
    processes: tuple[Process, ...]
    certificate: Certificate | None
    stuck_reply: str  # what was said last about the oldest mail that is stuck
    tries: tuple[Attempt, ...]  # the newest ones, newest first


def _count(rows: QuerySet[Any]) -> Coalesce:
    """Return a subquery that counts `rows`."""
    one = rows.order_by().annotate(_one=Value(1)).values("_one").annotate(_n=Count("pk")).values("_n")
    return Coalesce(Subquery(one, output_field=IntegerField()), 0)


def midnight(now: datetime) -> datetime:
    """Return the beginning of the day, in the time zone in force."""
    return timezone.localtime(now).replace(hour=0, minute=0, second=0, microsecond=0)


def read(now: datetime) -> Facts:
    """Return the facts at `now`, in five queries however long the history is."""
    today = midnight(now)
    waiting = Recipient.objects.filter(state__in=(State.WAITING, State.DELIVERING))
    stuck = Recipient.objects.filter(state=State.WAITING, attempts__gt=0, message__accepted_at__lt=now - STUCK_AFTER)
    server = (
        Server.objects.filter(pk=1)
        .annotate(
            n_people=_count(Account.objects.filter(suspended_at=None)),
            n_sent=_count(Message.objects.filter(pk__gte=first_id(today.timestamp()), account__isnull=False)),
            n_waiting=_count(waiting),
            n_held=_count(Recipient.objects.filter(state=State.HELD)),
            n_failed=_count(Recipient.objects.filter(finished_at__gte=today, state=State.FAILED)),
            n_refused=_count(SignIn.objects.filter(at__gte=today).exclude(result=OK)),
            n_stuck=_count(stuck),
            stuck_reply=Subquery(stuck.order_by("message_id").values("last_reply")[:1]),
        )
        .first()
    )
    names = ("people", "sent", "waiting", "held", "failed", "refused", "stuck")
    return Facts(
        now=now,
        server=server,
        counts=Counts(*(getattr(server, f"n_{name}", 0) for name in names)),
        processes=tuple(Process.objects.filter(heartbeat_at__gte=now - SILENCE).order_by("node", "pid")),
        certificate=Certificate.objects.filter(in_use=True).first(),
        stuck_reply=getattr(server, "stuck_reply", "") or "",
        tries=tuple(Attempt.objects.order_by("-id")[:RECENT_TRIES]),
    )
