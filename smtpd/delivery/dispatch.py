"""Chooses how a recipient's mail is delivered, and keeps the agents that do it.

A recipient's domain and the policy in force give a `Lane`: the mailboxes here, an LMTP server, a route's smarthosts, or
a domain's own servers. Recipients of one message in the same lane travel together. A lane bounds how many deliveries go
on in it at once, so that one slow server does not take every place.

Agents are kept by the policy values they were made from. When those change, the next delivery makes a new agent, and
the old one is closed as soon as nothing uses it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, Literal

from mailadmin.policy.snapshot import SmarthostPolicy, Snapshot
from mailadmin.queue.envelopes import ClaimedMessage, ClaimedRecipient, Verdict
from smtpd.delivery.agent import DeliveryAgent

Kind = Literal["maildir", "lmtp", "smarthost", "mx"]
_Key = tuple[object, ...]

# Deliveries at once in a lane. Servers on the Internet see at most five connections from us, as they expect of a polite
# client; what the household runs itself may have more.
WIDTH: Final[dict[Kind, int]] = {"maildir": 8, "lmtp": 8, "smarthost": 5, "mx": 5}
# Recipients in one delivery: what every server must take in a transaction (RFC 5321 §4.5.3.1.8).
BATCH: Final = 100
NO_ROUTE: Final = Verdict("failed", "route", 0, "5.4.4", "The settings of this server have no way out for this domain.")


@dataclass(frozen=True, slots=True)
class Lane:
    """A way of delivery. Equal lanes are the same.

    Args:
        kind: which agent serves it.
        target: the LMTP server, or the recipients' domain for mx.
        smarthosts: tried in this order.
    """

    kind: Kind
    target: str = ""
    smarthosts: tuple[SmarthostPolicy, ...] = ()

    @property
    def is_local(self) -> bool:
        """Whether it leads to mailboxes of this household."""
        return self.kind in {"maildir", "lmtp"}

    @property
    def width(self) -> int:
        """How many deliveries may go on in it at once."""
        return WIDTH[self.kind]


@dataclass(frozen=True, slots=True)
class Job:
    """One delivery: a message, some of its recipients, and their lane; `octets` is the body where it came along."""

    message: ClaimedMessage
    recipients: tuple[ClaimedRecipient, ...]
    lane: Lane
    octets: bytes | None = None


def lane(snapshot: Snapshot, domain: str) -> Lane | None:
    """Return the lane for recipients in `domain` (normal form), or None when there is no way."""
    local = snapshot.domains.get(domain)
    if local is not None:
        return Lane("maildir") if local.delivery == "maildir" else Lane("lmtp", local.lmtp_target)
    route = snapshot.route(domain)
    if route is None or route.via == "none":
        return None
    return Lane("mx", domain) if route.via == "mx" else Lane("smarthost", smarthosts=route.smarthosts)


def divide(
    snapshot: Snapshot, message: ClaimedMessage, recipients: Iterable[ClaimedRecipient], octets: bytes | None = None
) -> tuple[list[Job], list[ClaimedRecipient]]:
    """Divide `recipients` of a message into deliveries; return those, and the recipients for which there is no way."""
    lanes: dict[Lane | None, list[ClaimedRecipient]] = {}
    for recipient in recipients:
        lanes.setdefault(lane(snapshot, recipient.domain), []).append(recipient)
    lost = lanes.pop(None, [])
    jobs = [
        Job(message, tuple(group[start : start + BATCH]), way, octets)
        for way, group in lanes.items()
        if way is not None
        for start in range(0, len(group), BATCH)
    ]
    return jobs, lost


class Agents:
    """Makes agents when they are needed and closes them when they are not.

    Args:
        make: returns the agent for a lane by a policy.
    """

    def __init__(self, make: Callable[[Lane, Snapshot], DeliveryAgent]) -> None:
        self._make = make
        self._agents: dict[_Key, DeliveryAgent] = {}
        self._users: Counter[_Key] = Counter()
        self._snapshot: Snapshot | None = None
        self._current: frozenset[_Key] = frozenset()

    @asynccontextmanager
    async def agent(self, way: Lane, snapshot: Snapshot) -> AsyncGenerator[DeliveryAgent, None]:
        """Lend the agent for `way` while a delivery lasts."""
        if snapshot is not self._snapshot:
            self._snapshot = snapshot
            self._current = frozenset(_key(known, snapshot) for known in _lanes(snapshot))
            await self._close_unused()
        key = _key(way, snapshot)
        if key not in self._agents:
            self._agents[key] = self._make(way, snapshot)
        self._users[key] += 1
        try:
            yield self._agents[key]
        finally:
            self._users[key] -= 1
            await self._close_unused()

    async def _close_unused(self) -> None:
        """Close what was made from a policy that is not in force any more and is not in use."""
        for key in [key for key in self._agents if key not in self._current and not self._users[key]]:
            del self._users[key]
            await self._agents.pop(key).close()

    async def close(self) -> None:
        """Close them all."""
        for agent in self._agents.values():
            await agent.close()
        self._agents.clear()


def _key(way: Lane, snapshot: Snapshot) -> _Key:
    """Return what an agent for `way` is made from: another value of any of these needs another agent."""
    if way.kind == "mx":  # one agent for all domains
        return ("mx", snapshot.hostname, snapshot.mx_port, snapshot.allow_private_destinations)
    if way.kind == "maildir":
        return ("maildir",)
    return (way, snapshot.hostname)


def _lanes(snapshot: Snapshot) -> Iterable[Lane]:
    """Yield the lanes that `snapshot` knows, and one of mx."""
    yield Lane("maildir")
    yield Lane("mx")
    for domain in snapshot.domains.values():
        if domain.delivery == "lmtp":
            yield Lane("lmtp", domain.lmtp_target)
    for route in snapshot.routes:
        if route.via == "smarthost":
            yield Lane("smarthost", smarthosts=route.smarthosts)
