"""Tests of a way out: asked for here, executed by the daemon's runner, answered here.

A test is a row, so that the page shows what the process saw that will really send the mail.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from django.db import connection, transaction
from django.db.models import Q

from mailadmin import secretbox
from mailadmin.generation.models import Process
from mailadmin.generation.services import SILENCE
from mailadmin.queue.accepting import CHANNEL
from mailadmin.routing.models import RouteTest, Smarthost
from mailadmin.routing.targets import SmarthostInput

# Nobody waits longer for an answer; a test that is still open then is not begun any more.
PATIENCE: Final = timedelta(minutes=5)
# A runner that began a test and said nothing for this long has died; another one may begin it again.
ABANDONED: Final = timedelta(minutes=2)
KEPT: Final = timedelta(days=1)


@transaction.atomic
def ask_test(
    *, now: datetime, target: Mapping[str, object], password: str | None = None, smarthost: Smarthost | None = None
) -> RouteTest:
    """Ask the runner to try a way out.

    Args:
        now: when.
        target: the candidate: host, port, tls, username, ca_pem; or via "mx" and a domain.
        password: the candidate's password, as typed.
        smarthost: where the saved password is taken from when none was typed.
    """
    RouteTest.objects.filter(asked_at__lt=now - KEPT).delete()
    sealed = smarthost.password_sealed if smarthost is not None and password is None else ""
    if password:
        sealed = secretbox.seal(password, secretbox.SMARTHOST_PASSWORD)
    test = RouteTest.objects.create(asked_at=now, target=dict(target), password_sealed=sealed)
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_notify(%s, '')", [CHANNEL])
    return test


def claim_test(now: datetime) -> RouteTest | None:
    """Return the oldest test that nobody executes, and mark it as begun; None when there is none.

    A runner may ask often: no lock is taken while nothing waits.
    """
    unclaimed = Q(started_at=None) | Q(started_at__lt=now - ABANDONED)
    waiting = RouteTest.objects.filter(unclaimed, finished_at=None, asked_at__gt=now - PATIENCE)
    if not waiting.exists():
        return None
    with transaction.atomic():
        test = waiting.select_for_update(skip_locked=True).order_by("id").first()
        if test is not None:
            test.started_at = now
            test.save(update_fields=["started_at"])
    return test


def runner_is_alive(now: datetime) -> bool:
    """Say whether a runner has reported in the last seconds, so that an answer is to be expected."""
    return Process.objects.filter(role="runner", heartbeat_at__gte=now - SILENCE).exists()


def target_of(smarthost: Smarthost | SmarthostInput) -> dict[str, object]:
    """Return a smarthost as the target of a test."""
    return {
        "host": smarthost.host,
        "port": smarthost.port,
        "tls": smarthost.tls,
        "username": smarthost.username,
        "ca_pem": smarthost.ca_pem,
    }


def test_password(test: RouteTest) -> str | None:
    """Return the candidate's password, or None when it has none.

    Raises:
        SealBrokenError: the sealing key is not the one it was sealed with.
    """
    return secretbox.unseal(test.password_sealed, secretbox.SMARTHOST_PASSWORD) or None


def answer_test(test_id: int, *, ok: bool, steps: Sequence[Mapping[str, object]], now: datetime) -> None:
    """Store what the runner saw, and drop the candidate's password."""
    RouteTest.objects.filter(pk=test_id, finished_at=None).update(
        ok=ok, steps=[dict(step) for step in steps], finished_at=now, password_sealed=""
    )
