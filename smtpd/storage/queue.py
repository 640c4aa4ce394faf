"""The queue as the runner sees it: the services, called in threads, and the bell that says when to look.

One thread makes every change, so the runner's claims, renewals and records are in order; a few others read bodies,
which may be megabytes. When the database cannot be reached that is an `UnavailableError`, after which the next call
begins with a new connection.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from threading import Barrier, BrokenBarrierError
from typing import Final, TypeVar

from django.conf import settings
from django.db import DataError, IntegrityError, connections

from mailadmin import secretbox
from mailadmin.accounts.models import Account
from mailadmin.activity import services as activity
from mailadmin.bodies import services as bodies
from mailadmin.generation import services as generation
from mailadmin.policy.snapshot import Snapshot
from mailadmin.queue import services
from mailadmin.queue.envelopes import ClaimedMessage, Result
from mailadmin.queue.services import Rules, Scope
from mailadmin.routing import services as routing
from mailadmin.sealing import Sealer
from mailadmin.server import services as server
from smtpd.delivery.places import Wanted
from smtpd.storage.errors import DATABASE_ERRORS, unavailable
from smtpd.storage.patience import patiently

READERS: Final = 4  # threads that read bodies
# Bodies of at most this many octets come along with the claim; nearly all mail is that small.
ALONG: Final = 64 * 1024
LAST_CALLS: Final = 5.0  # seconds for what the threads are at when the end comes
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Claimed:
    """What claims brought.

    Args:
        messages: with their recipients.
        bodies: those of small messages, by the message's id.
        next_due: when the next recipient that these claims could have is due; None when none waits.
    """

    messages: list[ClaimedMessage]
    bodies: dict[int, bytes]
    next_due: datetime | None


@dataclass(frozen=True, slots=True)
class RouteTest:
    """A test of a way out that somebody asked for; `password` is in clear."""

    id: int
    target: dict[str, object]
    password: str | None


def mailboxes() -> Path:
    """Return the folder of the local mailboxes."""
    return Path(settings.HOME) / "mailboxes"


def sealer() -> Sealer:
    """Return what opens the smarthosts' passwords."""
    return secretbox.sealer()


class Queue:
    """The queue services for the runner of `node`, as coroutines.

    Args:
        node: this machine's name in the database.
        lease: how long a claim holds without `renew`.
    """

    def __init__(self, node: str, lease: timedelta) -> None:
        self.owner = f"{node}:{os.getpid()}"
        self._node = node
        self._lease = lease
        self._changes = ThreadPoolExecutor(1, thread_name_prefix="queue")
        self._bodies = ThreadPoolExecutor(READERS, thread_name_prefix="bodies")

    async def claim(self, now: datetime, wanted: Sequence[Wanted]) -> Claimed:
        """Make the claims that are `wanted` (see `mailadmin.queue.services.claim`)."""
        return await self._change(partial(self._claim, now, wanted))

    def _claim(self, now: datetime, wanted: Sequence[Wanted]) -> Claimed:
        messages, due = list[ClaimedMessage](), list[datetime]()
        for want in wanted:
            scope = Scope(want.only, want.without)
            claimed = services.claim(owner=self.owner, now=now, lease=self._lease, limit=want.limit, scope=scope)
            messages += claimed
            had_all = sum(len(message.recipients) for message in claimed) < want.limit
            at = services.next_due(scope) if had_all else now
            if at is not None:
                due.append(at)
        small = [message.id for message in messages if message.size <= ALONG]
        return Claimed(messages, bodies.read_small(small), min(due, default=None))

    async def renew(self, recipients: Collection[int], now: datetime) -> int:
        """Prolong the leases on `recipients`; return how many are still ours."""
        return await self._change(
            partial(services.renew, owner=self.owner, recipients=recipients, now=now, lease=self._lease)
        )

    async def record(self, results: Sequence[Result], now: datetime, rules: Rules, *, tell: bool = True) -> int:
        """Record `results` (see `mailadmin.queue.services.record`)."""
        return await self._change(partial(services.record, results, owner=self.owner, now=now, rules=rules, tell=tell))

    async def let_go(self, recipients: Collection[int]) -> None:
        """Give back what was claimed and not tried."""
        if recipients:
            await self._change(partial(services.let_go, owner=self.owner, recipients=recipients))

    async def let_go_of_unknown(self, known: Collection[int]) -> int:
        """Give back what is claimed in this runner's name beside the recipients `known` to it; return how many."""
        return await self._change(partial(services.let_go_but, owner=self.owner, known=tuple(known)))

    async def let_go_of_everything(self) -> None:
        """Give back all that this runner holds, after the changes that are under way."""
        await self._change(partial(services.let_go_all, [self.owner]))

    async def recover(self) -> int:
        """Free what runners of this node had claimed that are no more; return how many recipients."""
        return await self._change(self._recover)

    def _recover(self) -> int:
        return services.let_go_all([owner for owner in services.lease_owners() if self._is_dead(owner)])

    def _is_dead(self, owner: str) -> bool:
        """Say whether `owner` was a process of this node that has ended; one with our number was before us."""
        node, _, pid = owner.rpartition(":")
        if node != self._node:
            return False
        return owner == self.owner or not _lives(pid)

    async def sweep(self, now: datetime) -> tuple[int, int]:
        """Take away old history, orphaned chunks and silent processes; return how many messages and bodies went."""
        return await self._change(partial(_sweep, now))

    async def read(self, message: int) -> AsyncIterator[bytes]:
        """Yield the body of `message` from its first octet.

        Raises:
            UnavailableError: the database cannot be read now.
            LookupError: the body is not there.
        """

        async def begin() -> tuple[Iterator[bytes], bytes | None]:
            pieces = bodies.read(message)
            return pieces, await self._run(self._bodies, partial(next, pieces, None))

        pieces, piece = await patiently(begin)
        while piece is not None:
            yield piece
            piece = await self._run(self._bodies, partial(next, pieces, None))

    async def quota(self, address: str) -> int | None:
        """Return how many octets the mailbox of `address` may hold, or None for no limit."""
        return await self._run(self._bodies, partial(_quota, address))

    async def next_test(self, now: datetime) -> RouteTest | None:
        """Return a test of a way out to execute now, marked as begun."""
        return await self._change(partial(_next_test, now))

    async def answer_test(self, test: int, *, ok: bool, steps: Sequence[Mapping[str, object]], now: datetime) -> None:
        """Store what a test of a way out has shown."""
        await self._change(partial(routing.answer_test, test, ok=ok, steps=steps, now=now))

    def close(self) -> None:
        """Let go of the database, when the threads have done what they are at."""
        for threads, number in ((self._changes, 1), (self._bodies, READERS)):
            together = Barrier(number)  # so that each thread gets one of the calls
            for _ in range(number):
                threads.submit(_let_go, together)
            threads.shutdown(wait=False)

    async def _change(self, call: Callable[[], R]) -> R:
        return await self._run(self._changes, call)

    @staticmethod
    async def _run(threads: ThreadPoolExecutor, call: Callable[[], R]) -> R:
        return await asyncio.get_running_loop().run_in_executor(threads, _guarded, call)


def rules(snapshot: Snapshot) -> Rules:
    """Return what the policy in force says of undelivered mail."""
    return Rules(snapshot.hostname, snapshot.give_up_after, snapshot.delay_notice_after, frozenset(snapshot.domains))


def _lives(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except PermissionError:
        return True
    except (ValueError, OSError):
        return False
    return True


def _let_go(together: Barrier) -> None:
    """Close the connections of one of the threads that meet at the barrier."""
    with suppress(BrokenBarrierError):
        together.wait(LAST_CALLS)
    connections.close_all()


def _guarded(call: Callable[[], R]) -> R:
    """Call, in a thread; when the database cannot do it now, that is an `UnavailableError`.

    What it will never do (a value too long, an id that is taken) is raised as it is.
    """
    try:
        return call()
    except (DataError, IntegrityError):
        raise
    except DATABASE_ERRORS as error:
        with suppress(*DATABASE_ERRORS):
            connections.close_all()
        raise unavailable(error) from error


def _sweep(now: datetime) -> tuple[int, int]:
    generation.forget_silent(now)
    activity.sweep(now - timedelta(days=server.get().history_days))
    swept = services.sweep(now)
    return swept.messages, swept.bodies


def _quota(address: str) -> int | None:
    return Account.objects.filter(address=address).values_list("quota", flat=True).first()


def _next_test(now: datetime) -> RouteTest | None:
    test = routing.claim_test(now)
    if test is None:
        return None
    return RouteTest(test.pk, dict(test.target), routing.test_password(test))
