"""Build the snapshot of the policy that the daemon runs by."""

from __future__ import annotations

from typing import cast

from mailadmin.certificates import services as certificates
from mailadmin.generation import services as generation
from mailadmin.listeners.models import Listener
from mailadmin.policy.snapshot import (
    CertificatePolicy,
    DomainPolicy,
    ListenerPolicy,
    Role,
    RoutePolicy,
    SmarthostPolicy,
    Snapshot,
)
from mailadmin.routing.models import Domain, Route, Smarthost
from mailadmin.sasl.models import MechanismRule
from mailadmin.server import services as server


def build_snapshot() -> Snapshot:
    """Read the policy in force, in eight queries.

    The generation is read first: a change that commits in between is then seen here early and, by its higher
    generation, once more by the watcher; none is missed. No transaction, which would take SQLite's write lock.

    Raises:
        Server.DoesNotExist: `server.services.initialise` has not run yet.
    """
    number = generation.number()
    site = server.get()
    certificate = certificates.in_use()
    rules = list(MechanismRule.objects.all())
    return Snapshot(
        generation=number,
        hostname=site.hostname,
        message_size_limit=site.message_size_limit,
        recipient_limit=site.recipient_limit,
        queue_paused=site.queue_paused,
        give_up_after=site.give_up_after,
        delay_notice_after=site.delay_notice_after,
        history_days=site.history_days,
        allow_private_destinations=site.allow_private_destinations,
        mx_port=site.mx_port,
        listeners=tuple(_listener(row) for row in Listener.objects.filter(enabled=True).order_by("id")),
        certificate=None
        if certificate is None
        else CertificatePolicy(certificate.pk, certificate.chain_pem, certificate.key_sealed),
        mechanisms_with_tls=frozenset(rule.mechanism for rule in rules if rule.with_tls),
        mechanisms_without_tls=frozenset(rule.mechanism for rule in rules if rule.without_tls),
        domains={row.name: _domain(row) for row in Domain.objects.all()},
        routes=tuple(_route(row) for row in Route.objects.order_by("id").prefetch_related("smarthosts")),
    )


def _listener(row: Listener) -> ListenerPolicy:
    return ListenerPolicy(
        name=row.name,
        role=cast(Role, row.role),
        addresses=tuple(address for address in (row.address, row.address6) if address),
        port=row.port,
        max_connections=row.max_connections,
        max_connections_per_address=row.max_connections_per_address,
    )


def _domain(row: Domain) -> DomainPolicy:
    return DomainPolicy(
        name=row.name,
        delivery="lmtp" if row.delivery == Domain.Delivery.LMTP else "maildir",
        lmtp_target=row.lmtp_target,
        node=row.node,
    )


def _route(row: Route) -> RoutePolicy:
    return RoutePolicy(
        pattern=row.pattern,
        via="smarthost" if row.via == Route.Via.SMARTHOST else "mx" if row.via == Route.Via.MX else "none",
        smarthosts=tuple(smarthost_policy(smarthost) for smarthost in row.smarthosts.all()),
    )


def smarthost_policy(row: Smarthost) -> SmarthostPolicy:
    """Return a smarthost's row as a plain value."""
    tls = Smarthost.Tls(row.tls)
    return SmarthostPolicy(
        id=row.pk,
        host=row.host,
        port=row.port,
        tls="none" if tls is Smarthost.Tls.NONE else "starttls" if tls is Smarthost.Tls.STARTTLS else "implicit",
        username=row.username,
        password_sealed=row.password_sealed,
        ca_pem=row.ca_pem,
    )
