"""Which deliveries may begin, and what to claim next: counting, without a loop, a database or a clock.

Mail for the mailboxes here and mail for elsewhere have places of their own, so a slow Internet does not delay the
household. Within them each lane has its width. A few jobs more than there are places wait here, under our lease, so
that one which ends is followed at once and claims come in batches; beyond that the next claim passes over the domains
whose lanes are full.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from mailadmin.policy.snapshot import RoutePolicy, SmarthostPolicy, Snapshot
from smtpd.delivery.dispatch import Job, Lane

LOCAL: Final = 8  # deliveries at once into mailboxes here
REMOTE: Final = 20  # and elsewhere
AHEAD: Final = 2  # jobs at hand for each place, the one in it included
AT_ONCE: Final = 10  # recipients in a claim, so that one lane does not take far more than it should have at hand


@dataclass(frozen=True, slots=True)
class Wanted:
    """A claim to make: about `limit` recipients whose domain is in `only` (None: any) and not in `without`."""

    limit: int
    only: tuple[str, ...] | None = None
    without: tuple[str, ...] = ()


class Places:
    """The places of deliveries and who is in them.

    Args:
        local: places for mailboxes here.
        remote: places for elsewhere.
    """

    def __init__(self, local: int = LOCAL, remote: int = REMOTE) -> None:
        self._size = {True: local, False: remote}
        self._taken: Counter[bool] = Counter()
        self._running: Counter[Lane] = Counter()
        self._waiting: list[Job] = []
        self._passed_over = False

    def add(self, job: Job) -> None:
        """Let `job` wait for its place."""
        self._waiting.append(job)

    def begin(self) -> list[Job]:
        """Give places to the jobs that may begin, in the order they came, and return them."""
        begun, left = [], []
        for job in self._waiting:
            local = job.lane.is_local
            if self._taken[local] < self._size[local] and self._running[job.lane] < job.lane.width:
                self._taken[local] += 1
                self._running[job.lane] += 1
                begun.append(job)
            else:
                left.append(job)
        self._waiting = left
        return begun

    def end(self, job: Job) -> bool:
        """Take the place of `job` back; say whether to claim what the last claim passed over."""
        self._taken[job.lane.is_local] -= 1
        self._running[job.lane] -= 1
        if not self._running[job.lane]:
            del self._running[job.lane]
        return self._passed_over and self._load()[job.lane] <= job.lane.width

    def give_up(self) -> list[Job]:
        """Return the jobs that wait, and forget them."""
        waiting, self._waiting = self._waiting, []
        return waiting

    def wanted(self, snapshot: Snapshot, node: str) -> list[Wanted]:
        """Return the claims to make by `snapshot` on `node`: one for each kind of place where there is room."""
        full = {lane for lane, count in self._load().items() if count >= lane.width * AHEAD}
        local, remote = self._room(local=True), self._room(local=False)
        self._passed_over = bool(full) or local <= 0 or remote <= 0
        claims = []
        here = tuple(
            domain.name
            for domain in snapshot.domains.values()
            # Mailboxes pinned to another node are that node's business.
            if domain.node in {"", node} and _local_lane(domain.delivery, domain.lmtp_target) not in full
        )
        if here and local > 0:
            claims.append(Wanted(local, only=here))
        if remote > 0:
            busy = {lane.smarthosts for lane in full if lane.kind == "smarthost"}
            without = (*snapshot.domains, *_busy_domains(snapshot, full, busy))
            claims.append(Wanted(remote, _other_domains(snapshot, busy), without))
        return claims

    def _load(self) -> Counter[Lane]:
        """Return how many jobs each lane has at hand."""
        return self._running + Counter(job.lane for job in self._waiting)

    def _room(self, *, local: bool) -> int:
        """Return how many recipients to claim for one kind of place."""
        at_hand = self._taken[local] + sum(job.lane.is_local == local for job in self._waiting)
        return min(self._size[local] * AHEAD - at_hand, AT_ONCE)


def _local_lane(delivery: str, target: str) -> Lane:
    return Lane("maildir") if delivery == "maildir" else Lane("lmtp", target)


def _is_busy(route: RoutePolicy, busy: set[tuple[SmarthostPolicy, ...]]) -> bool:
    return route.via == "smarthost" and route.smarthosts in busy


def _busy_domains(snapshot: Snapshot, full: Iterable[Lane], busy: set[tuple[SmarthostPolicy, ...]]) -> list[str]:
    """Return the foreign domains of full lanes that can be named one by one."""
    named = [route.pattern for route in snapshot.routes if not route.pattern.startswith("*") and _is_busy(route, busy)]
    return named + [lane.target for lane in full if lane.kind == "mx"]


def _other_domains(snapshot: Snapshot, busy: set[tuple[SmarthostPolicy, ...]]) -> tuple[str, ...] | None:
    """Return the domains with a route of their own while the smarthosts of ``*`` are busy, and None while they are not.

    Subdomains that a pattern names cannot be listed; they wait with ``*`` for that time.
    """
    if not any(route.pattern == "*" and _is_busy(route, busy) for route in snapshot.routes):
        return None
    return tuple(
        route.pattern for route in snapshot.routes if not route.pattern.startswith("*") and not _is_busy(route, busy)
    )
