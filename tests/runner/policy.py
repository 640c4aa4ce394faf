"""Policies and messages for the parts of the runner that are pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from mailadmin.policy.snapshot import DomainPolicy, RoutePolicy, SmarthostPolicy, Snapshot
from mailadmin.queue.envelopes import ClaimedMessage, ClaimedRecipient
from tests.ground.clock import START


def smarthost(name: str) -> SmarthostPolicy:
    """Return a smarthost."""
    return SmarthostPolicy(1, name, 587, "starttls", "user", "sealed", "")


def via(pattern: str, *names: str) -> RoutePolicy:
    """Return a route through smarthosts; without names, directly."""
    if not names:
        return RoutePolicy(pattern, "mx", ())
    return RoutePolicy(pattern, "smarthost", tuple(smarthost(name) for name in names))


def policy(*routes: RoutePolicy, domains: Sequence[DomainPolicy] = (), hostname: str = "mail.example.org") -> Snapshot:
    """Return a policy with these routes and local domains."""
    return Snapshot(
        generation=1,
        hostname=hostname,
        message_size_limit=1,
        recipient_limit=100,
        queue_paused=False,
        give_up_after=timedelta(days=5),
        delay_notice_after=timedelta(hours=4),
        history_days=90,
        allow_private_destinations=False,
        mx_port=25,
        listeners=(),
        certificate=None,
        mechanisms_with_tls=frozenset(),
        mechanisms_without_tls=frozenset(),
        domains={domain.name: domain for domain in domains},
        routes=routes,
    )


def claimed(*addresses: str, number: int = 1) -> ClaimedMessage:
    """Return a message that was claimed for `addresses`."""
    recipients = tuple(
        ClaimedRecipient(number * 1000 + index, address, address.partition("@")[2], "", "", 0, delay_notified=False)
        for index, address in enumerate(addresses)
    )
    return ClaimedMessage(
        id=number,
        sender="ichiro@example.org",
        size=10,
        accepted_at=START,
        smtputf8=False,
        eight_bit=False,
        envid="",
        ret="",
        chunked=False,
        account=None,
        recipients=recipients,
    )
