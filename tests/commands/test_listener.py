"""`manage.py listener`."""

from __future__ import annotations

from datetime import datetime

import pytest

from mailadmin.listeners.models import Listener
from mailadmin.server import services as server
from tests.commands.calling import manage

pytestmark = pytest.mark.django_db
EVERYBODY = "0.0.0.0"  # noqa: S104  # a value of rows


@pytest.fixture(autouse=True)
def _initialised(now: datetime) -> None:
    server.initialise(now)


def _places(name: str) -> tuple[str | None, str | None, int, bool]:
    listener = Listener.objects.get(name=name)
    return listener.address, listener.address6, listener.port, listener.enabled


def test_the_first_ones_are_named_as_their_roles() -> None:
    rows = manage("listener", "list", "--json").json
    assert [(row["name"], row["role"], row["port"], row["enabled"]) for row in rows] == [
        ("mx", "mx", 1025, True),
        ("submission", "submission", 1587, True),
        ("submissions", "submissions", 1465, True),
    ]
    assert "1587" in manage("listener", "list").out


def test_both_addresses_may_be_given_by_one_flag_or_by_two() -> None:
    shown = manage("listener", "set", "mx", "--address", "127.0.0.1", "--address", "::1", "--port", "2525", "--json")
    assert (shown.json["address"], shown.json["address6"], shown.json["port"]) == ("127.0.0.1", "::1", 2525)
    manage("listener", "set", "mx", "--address", "192.0.2.1", "--address6", "2001:db8::1")
    assert _places("mx") == ("192.0.2.1", "2001:db8::1", 2525, True)


def test_what_is_not_given_stays() -> None:
    manage("listener", "set", "mx", "--port", "25")
    assert _places("mx") == (EVERYBODY, "::", 25, True)
    manage("listener", "set", "mx", "--off")
    assert _places("mx") == (EVERYBODY, "::", 25, False)
    manage("listener", "set", "mx", "--on")
    assert _places("mx") == (EVERYBODY, "::", 25, True)


@pytest.mark.parametrize("nothing", ["", "none", "NONE"])
def test_an_address_is_given_up(nothing: str) -> None:
    manage("listener", "set", "mx", "--address", nothing)
    assert _places("mx") == (None, "::", 1025, True)
    manage("listener", "set", "submission", "--address6", nothing)
    assert _places("submission") == (EVERYBODY, None, 1587, True)


def test_a_listener_whose_usual_port_is_taken_is_added_but_off() -> None:
    shown = manage("listener", "add", "second", "--role", "submission", "--json")
    assert shown.json["enabled"] is False
    assert manage("listener", "set", "second", "--on").code == 1
    assert manage("listener", "set", "second", "--port", "2587", "--on").code == 0
    assert "2587" in manage("listener", "set", "second", "--port", "2587").out


def test_a_listener_is_added_with_a_port_of_its_own() -> None:
    manage("listener", "add", "second", "--role", "submission", "--port", "2587", "--address", "127.0.0.1")
    assert _places("second") == ("127.0.0.1", "::", 2587, True)
    assert manage("listener", "remove", "second", "--json").json["name"] == "second"
    assert not Listener.objects.filter(name="second").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("set", "mx", "--port", "1587"), "Port 1587 on this address belongs to the listener “submission” already"),
        (("set", "mx", "--address", "mail.example.org"), "is not an IP address"),
        (("set", "mx", "--address", "300.0.0.1"), "is not an IP address"),
        (("set", "mx", "--address6", "127.0.0.1"), "is not an IPv6 address"),
        (("set", "mx", "--port", "0"), "between 1 and 65535"),
        (("set", "mx", "--port", "99999"), "between 1 and 65535"),
        (("set", "mx", "--address", "none", "--address6", "none"), "needs an IPv4 or an IPv6 address"),
        (("set", "pigeon", "--on"), "There is no listener “pigeon”"),
        (("add", "mx", "--role", "mx", "--port", "26"), "already a listener"),
        (("add", "second", "--role", "mx", "--port", "1025"), "belongs to the listener “mx”"),
        (("add", "second", "--role", "mx", "--on"), "belongs to the listener “mx”"),
        (("remove", "pigeon"), "There is no listener"),
    ],
)
def test_a_refusal_is_words_and_one(arguments: tuple[str, ...], words: str) -> None:
    refused = manage("listener", *arguments)
    assert (refused.code, refused.out) == (1, "")
    assert words in refused.error
    assert Listener.objects.count() == 3
