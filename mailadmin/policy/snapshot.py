"""The policy in force, as plain values (pure: no Django, no I/O).

A worker holds one `Snapshot` and swaps the reference when the generation moves on; nothing in it changes. It is small:
accounts, verifiers and recipients are read from the database at the moment they are needed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

from mailadmin.routing import patterns

Role = Literal["mx", "submission", "submissions"]


@dataclass(frozen=True, slots=True)
class ListenerPolicy:
    """A listener: `addresses` holds at most one IPv4 and one IPv6 address."""

    name: str
    role: Role
    addresses: tuple[str, ...]
    port: int
    max_connections: int
    max_connections_per_address: int


@dataclass(frozen=True, slots=True)
class CertificatePolicy:
    """The certificate in use; the key stays sealed (purpose ``certificate.key``) until a context is built."""

    id: int
    chain_pem: str
    key_sealed: str


@dataclass(frozen=True, slots=True)
class DomainPolicy:
    """A local domain (`name` in lower-case A-labels)."""

    name: str
    delivery: Literal["maildir", "lmtp"]
    lmtp_target: str
    node: str


@dataclass(frozen=True, slots=True)
class SmarthostPolicy:
    """A smarthost; the password stays sealed (purpose ``smarthost.password``)."""

    id: int
    host: str
    port: int
    tls: Literal["none", "starttls", "implicit"]
    username: str
    password_sealed: str
    ca_pem: str


@dataclass(frozen=True, slots=True)
class RoutePolicy:
    """The way out for a pattern of domains."""

    pattern: str
    via: Literal["smarthost", "mx", "none"]
    smarthosts: tuple[SmarthostPolicy, ...]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything a session or a delivery needs to know of the policy, by generation `generation`."""

    generation: int
    hostname: str
    message_size_limit: int
    recipient_limit: int
    queue_paused: bool
    give_up_after: timedelta
    delay_notice_after: timedelta
    history_days: int
    allow_private_destinations: bool
    mx_port: int
    listeners: tuple[ListenerPolicy, ...]
    certificate: CertificatePolicy | None
    # Mechanism names, upper case, by whether the connection is under TLS.
    mechanisms_with_tls: frozenset[str]
    mechanisms_without_tls: frozenset[str]
    domains: dict[str, DomainPolicy] = field(default_factory=dict)
    routes: tuple[RoutePolicy, ...] = ()

    def route(self, domain: str) -> RoutePolicy | None:
        """Return the way out for `domain` (normal form): the exact pattern, the longest ``*.suffix``, then ``*``."""
        by_pattern = {route.pattern: route for route in self.routes}
        pattern = patterns.best(by_pattern, domain)
        return None if pattern is None else by_pattern[pattern]
