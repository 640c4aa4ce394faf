"""Bump the generation, and tell which processes have caught up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db import connection, transaction
from django.db.models import F

from mailadmin.generation.models import Generation, Process

# The channel of PostgreSQL's NOTIFY that wakes every watcher.
CHANNEL: Final = "mailadmin_generation"
# A process that has said nothing for this long is not counted any more.
SILENCE: Final = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class Reach:
    """How far a generation has come: it is in force on `current` of `total` workers."""

    generation: int
    current: int
    total: int

    @property
    def everywhere(self) -> bool:
        """Whether there are workers and all of them have caught up."""
        return self.total > 0 and self.current == self.total


def number() -> int:
    """Return the generation in the database."""
    return Generation.objects.values_list("number", flat=True).filter(pk=1).first() or 0


def bump() -> None:
    """Mark the policy as changed; call it inside the transaction of the change.

    Raises:
        RuntimeError: called outside a transaction, where a crash could keep the change and lose the bump.
    """
    if not connection.in_atomic_block:
        raise RuntimeError("bump() belongs into the transaction of the change")
    if not Generation.objects.filter(pk=1).update(number=F("number") + 1):
        Generation.objects.create(pk=1)
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_notify(%s, '')", [CHANNEL])


def reach(now: datetime) -> Reach:
    """Return on how many live workers the database's generation is in force at `now`."""
    current = number()
    running = Process.objects.filter(role="worker", heartbeat_at__gte=now - SILENCE)
    numbers = list(running.values_list("generation", flat=True))
    return Reach(current, sum(1 for generation in numbers if generation >= current), len(numbers))


def beat(
    *,
    node: str,
    pid: int,
    role: str,
    generation: int,
    started_at: datetime,
    problems: list[str],
    now: datetime,
) -> None:
    """Record that a process lives and by which generation it runs."""
    Process.objects.update_or_create(
        node=node,
        pid=pid,
        defaults={
            "role": role,
            "generation": generation,
            "started_at": started_at,
            "heartbeat_at": now,
            "problems": problems,
        },
    )


def forget(*, node: str, pid: int) -> None:
    """Take a process that has ended out of the table."""
    Process.objects.filter(node=node, pid=pid).delete()


def pids(node: str) -> list[int]:
    """Return the processes of `node` that are in the table."""
    return list(Process.objects.filter(node=node).values_list("pid", flat=True))


def forget_silent(now: datetime) -> int:
    """Take out the processes that ended without saying so; return how many."""
    with transaction.atomic():
        return Process.objects.filter(heartbeat_at__lt=now - 6 * SILENCE).delete()[0]
