"""Local domains and routes: what is set, kept, refused and announced."""

from __future__ import annotations

from datetime import datetime

import pytest
from django.core.exceptions import ValidationError

from mailadmin import secretbox
from mailadmin.activity.models import Entry
from mailadmin.generation import services as generation
from mailadmin.routing import services
from mailadmin.routing.models import Domain, Route, Smarthost
from mailadmin.routing.services import SmarthostInput

pytestmark = pytest.mark.django_db
RELAY = SmarthostInput("relay.example.net", 587, "starttls", "household", "pass")


def _set(now: datetime, *smarthosts: SmarthostInput, pattern: str = "*", via: str = "smarthost") -> Route:
    return services.set_route(actor="test", now=now, pattern=pattern, via=via, smarthosts=smarthosts)


def _passwords() -> list[str]:
    sealed = Smarthost.objects.order_by("id").values_list("password_sealed", flat=True)
    return [secretbox.unseal(text, secretbox.SMARTHOST_PASSWORD) for text in sealed]


def test_a_domain_is_stored_in_a_labels_and_announced(now: datetime) -> None:
    number = generation.number()
    services.add_domain(actor="hanako@example.org", now=now, name="例え.JP")
    domain = services.find_domain("例え.jp")
    assert (domain.name, domain.delivery) == ("xn--r8jz45g.jp", "maildir")
    assert generation.number() == number + 1
    assert Entry.objects.get().verb == "domain.add"


@pytest.mark.parametrize("name", ["", "exam ple.org", "a@example.org", ".", "example..org"])
def test_what_is_no_domain_is_refused(now: datetime, name: str) -> None:
    with pytest.raises(ValidationError, match="not a mail domain"):
        services.add_domain(actor="test", now=now, name=name)


def test_a_domain_is_local_once(now: datetime) -> None:
    services.add_domain(actor="test", now=now, name="example.org")
    with pytest.raises(ValidationError, match="local domain already"):
        services.add_domain(actor="test", now=now, name="EXAMPLE.org")


def test_a_domain_behind_lmtp_needs_its_server(now: datetime) -> None:
    with pytest.raises(ValidationError) as refused:
        services.add_domain(actor="test", now=now, name="example.org", delivery="lmtp")
    assert "lmtp_target" in refused.value.message_dict
    with pytest.raises(ValidationError, match="maildir"):
        services.add_domain(actor="test", now=now, name="example.org", delivery="pigeon")
    assert not Domain.objects.exists()


def test_a_domain_moves_between_maildir_and_lmtp(now: datetime) -> None:
    domain = services.add_domain(actor="test", now=now, name="example.org", delivery="lmtp", lmtp_target="localhost:24")
    services.change_domain(domain, actor="test", now=now, delivery="maildir", lmtp_target="localhost:24")
    assert Domain.objects.get().lmtp_target == ""
    number = generation.number()
    services.change_domain(domain, actor="test", now=now, delivery="maildir")
    assert generation.number() == number


def test_a_removed_domain_is_foreign(now: datetime) -> None:
    domain = services.add_domain(actor="test", now=now, name="example.org")
    services.remove_domain(domain, actor="test", now=now)
    with pytest.raises(ValidationError, match="not a local domain"):
        services.find_domain("example.org")


def test_a_change_of_a_domain_removed_meanwhile_is_refused(now: datetime) -> None:
    domain = services.add_domain(actor="test", now=now, name="example.org")
    copy = services.find_domain("example.org")
    services.remove_domain(domain, actor="test", now=now)
    with pytest.raises(ValidationError, match="removed meanwhile"):
        services.change_domain(copy, actor="test", now=now, delivery="maildir")


def test_a_route_keeps_its_smarthosts_in_order_and_their_passwords_sealed(now: datetime) -> None:
    route = _set(now, RELAY, SmarthostInput("second.example.net", 465, "implicit", "u", "other"))
    assert [str(row) for row in route.smarthosts.all()] == ["relay.example.net:587", "second.example.net:465"]
    assert _passwords() == ["pass", "other"]
    assert "pass" not in "".join(Smarthost.objects.values_list("password_sealed", flat=True))


def test_a_route_set_again_replaces_its_smarthosts_and_their_order(now: datetime) -> None:
    second = SmarthostInput("second.example.net", 465, "implicit", "u", "other")
    _set(now, RELAY, second)
    _set(now, second, RELAY)
    assert [row.host for row in Route.objects.get().smarthosts.all()] == ["second.example.net", "relay.example.net"]
    assert Smarthost.objects.count() == 2


def test_a_password_that_is_not_typed_again_is_kept(now: datetime) -> None:
    _set(now, RELAY)
    _set(now, SmarthostInput("RELAY.example.net", 587, "implicit", "household"))
    assert _passwords() == ["pass"]


@pytest.mark.parametrize(
    "other",
    [
        SmarthostInput("evil.example.net", 587, "starttls", "household"),
        SmarthostInput("relay.example.net", 2525, "starttls", "household"),
        SmarthostInput("relay.example.net", 587, "starttls", "somebody"),
    ],
)
def test_a_saved_password_goes_to_no_other_server_port_or_user(now: datetime, other: SmarthostInput) -> None:
    _set(now, RELAY)
    with pytest.raises(ValidationError, match="password is missing"):
        _set(now, other)
    assert _passwords() == ["pass"]


def test_a_saved_password_does_not_follow_when_tls_is_given_up(now: datetime) -> None:
    _set(now, RELAY)
    with pytest.raises(ValidationError, match="readable on its way"):
        _set(now, SmarthostInput("relay.example.net", 587, "none", "household"))


def test_a_login_can_be_given_up(now: datetime) -> None:
    _set(now, RELAY)
    _set(now, SmarthostInput("relay.example.net", 587, "starttls", "", ""))
    assert _passwords() == [""]


@pytest.mark.parametrize(
    ("via", "smarthosts", "words"),
    [
        ("smarthost", (), "Name the smarthost"),
        ("mx", (RELAY,), "leave another way"),
        ("none", (RELAY,), "leave another way"),
        ("pigeon", (), "Mail leaves by"),
    ],
)
def test_a_way_out_and_its_smarthosts_fit_together(
    now: datetime, via: str, smarthosts: tuple[SmarthostInput, ...], words: str
) -> None:
    with pytest.raises(ValidationError, match=words):
        _set(now, *smarthosts, via=via)
    assert not Route.objects.exists()


def test_a_refused_smarthost_leaves_the_route_as_it_was(now: datetime) -> None:
    _set(now, RELAY)
    number = generation.number()
    with pytest.raises(ValidationError):
        _set(now, RELAY, SmarthostInput("not a host"))
    assert [row.host for row in Route.objects.get().smarthosts.all()] == ["relay.example.net"]
    assert generation.number() == number


def test_the_activity_shows_a_route_without_passwords(now: datetime) -> None:
    _set(now, via="mx")
    _set(now, RELAY)
    entry = Entry.objects.latest("id")
    assert entry.before == {"via": "mx", "smarthosts": []}
    shown = {"host": "relay.example.net", "port": 587, "tls": "starttls", "username": "household"}
    assert entry.after == {"via": "smarthost", "smarthosts": [shown]}


def test_a_removed_route_takes_its_smarthosts_along(now: datetime) -> None:
    _set(now, RELAY, pattern="*.Example.net")
    services.remove_route(services.find_route("*.example.NET"), actor="test", now=now)
    assert not Route.objects.exists()
    assert not Smarthost.objects.exists()
    with pytest.raises(ValidationError, match="no route"):
        services.find_route("*.example.net")


def test_the_route_of_last_resort_stays(now: datetime) -> None:
    with pytest.raises(ValidationError, match="all other mail"):
        services.remove_route(_set(now, via="none"), actor="test", now=now)
