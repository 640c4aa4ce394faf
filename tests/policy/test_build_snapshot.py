"""The snapshot that the daemon runs by, built from the rows."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from mailadmin import secretbox
from mailadmin.certificates import services as certificates
from mailadmin.generation import services as generation
from mailadmin.listeners import services as listeners
from mailadmin.policy.services import build_snapshot
from mailadmin.policy.snapshot import DomainPolicy, ListenerPolicy
from mailadmin.routing import services as routing
from mailadmin.routing.services import SmarthostInput
from mailadmin.sasl import services as sasl
from mailadmin.server import services as server
from mailadmin.server.models import Server

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _initialised(now: datetime) -> None:
    server.initialise(now)


def test_a_fresh_server_listens_three_times_and_sends_nothing_elsewhere() -> None:
    snapshot = build_snapshot()
    everybody = ("0.0.0.0", "::")  # noqa: S104  # compared
    assert snapshot.listeners == (
        ListenerPolicy("mx", "mx", everybody, 1025, 2000, 50),
        ListenerPolicy("submission", "submission", everybody, 1587, 2000, 50),
        ListenerPolicy("submissions", "submissions", everybody, 1465, 2000, 50),
    )
    assert snapshot.mechanisms_with_tls == {"PLAIN", "LOGIN"}
    assert not snapshot.mechanisms_without_tls
    route = snapshot.route("example.net")
    assert route is not None
    assert route.via == "none"
    assert snapshot.domains == {}
    assert (snapshot.message_size_limit, snapshot.give_up_after) == (50_000_000, timedelta(days=5))


def test_it_has_the_generation_of_the_rows() -> None:
    assert build_snapshot().generation == generation.number()


def test_it_takes_eight_queries_however_much_there_is(
    now: datetime, django_assert_num_queries: pytest.FixtureRequest
) -> None:
    for number in range(5):
        relay = SmarthostInput(f"relay{number}.example.net", 25, "none")
        routing.set_route(
            actor="test", now=now, pattern=f"d{number}.example", via="smarthost", smarthosts=[relay, relay]
        )
        routing.add_domain(actor="test", now=now, name=f"local{number}.example")
    with django_assert_num_queries(8):  # type: ignore[operator]  # pytest-django's fixture has no public type
        snapshot = build_snapshot()
    assert len(snapshot.routes) == 6
    assert len(snapshot.domains) == 5


def test_a_listener_that_is_off_and_an_address_that_is_empty_are_not_in_it(now: datetime) -> None:
    listeners.change(listeners.find("mx"), actor="test", now=now, enabled=False)
    listeners.change(listeners.find("submission"), actor="test", now=now, address=None)
    snapshot = build_snapshot()
    assert [listener.name for listener in snapshot.listeners] == ["submission", "submissions"]
    assert snapshot.listeners[0].addresses == ("::",)


def test_the_newest_certificate_in_use_is_in_it_and_its_key_is_sealed(now: datetime) -> None:
    before = build_snapshot().certificate
    newest = certificates.rotate(actor="test", now=now)
    policy = build_snapshot().certificate
    assert policy is not None
    assert policy != before
    assert (policy.id, policy.chain_pem) == (newest.pk, newest.chain_pem)
    assert "PRIVATE" in secretbox.unseal(policy.key_sealed, secretbox.CERTIFICATE_KEY)


def test_a_mechanism_is_allowed_only_where_its_rule_says(now: datetime) -> None:
    sasl.allow("LOGIN", actor="test", now=now, with_tls=False)
    sasl.allow("CRAM-MD5", actor="test", now=now, with_tls=True, without_tls=True)
    snapshot = build_snapshot()
    assert snapshot.mechanisms_with_tls == {"PLAIN", "CRAM-MD5"}
    assert snapshot.mechanisms_without_tls == {"CRAM-MD5"}


def test_domains_and_smarthosts_are_plain_values(now: datetime) -> None:
    routing.add_domain(actor="test", now=now, name="Example.ORG", delivery="lmtp", lmtp_target="/run/lmtp")
    relays = [
        SmarthostInput("b.example.net", 465, "implicit", "u", "pass"),
        SmarthostInput("a.example.net", 587, "starttls"),
    ]
    routing.set_route(actor="test", now=now, pattern="*", via="smarthost", smarthosts=relays)
    snapshot = build_snapshot()
    assert snapshot.domains == {"example.org": DomainPolicy("example.org", "lmtp", "/run/lmtp", "")}
    route = snapshot.route("anything.example")
    assert route is not None
    assert [(relay.host, relay.port, relay.tls) for relay in route.smarthosts] == [
        ("b.example.net", 465, "implicit"),
        ("a.example.net", 587, "starttls"),
    ]
    assert secretbox.unseal(route.smarthosts[0].password_sealed, secretbox.SMARTHOST_PASSWORD) == "pass"


@pytest.mark.parametrize(
    ("domain", "pattern"),
    [
        ("example.net", "example.net"),
        ("a.example.net", "*.example.net"),
        ("b.a.example.net", "*.a.example.net"),
        ("notexample.net", "*"),
        ("example.com", "*"),
    ],
)
def test_the_most_exact_route_holds(now: datetime, domain: str, pattern: str) -> None:
    for name in ("*.a.example.net", "*.example.net", "example.net"):
        routing.set_route(actor="test", now=now, pattern=name, via="mx")
    route = build_snapshot().route(domain)
    assert route is not None
    assert route.pattern == pattern


def test_the_settings_of_the_server_are_in_it(now: datetime) -> None:
    server.update(
        actor="test", now=now, hostname="mail.example.org", recipient_limit=200, history_days=7, mx_port=2525,
        allow_private_destinations=True, queue_paused=True,
    )  # fmt: skip
    snapshot = build_snapshot()
    assert (snapshot.hostname, snapshot.recipient_limit, snapshot.history_days) == ("mail.example.org", 200, 7)
    assert (snapshot.mx_port, snapshot.allow_private_destinations, snapshot.queue_paused) == (2525, True, True)


def test_without_a_server_there_is_no_policy() -> None:
    Server.objects.all().delete()
    with pytest.raises(Server.DoesNotExist):
        build_snapshot()
