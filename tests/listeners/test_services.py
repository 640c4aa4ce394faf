"""Listeners: what may be opened, what is refused, and that every change is announced."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from mailadmin.activity.models import Entry
from mailadmin.generation import services as generation
from mailadmin.listeners import services
from mailadmin.listeners.models import Listener

pytestmark = pytest.mark.django_db


def _add(now: datetime, name: str = "submission", role: str = "submission", **more: Any) -> Listener:
    return services.add(actor="test", now=now, name=name, role=role, **more)


@pytest.mark.parametrize(("role", "port"), [("mx", 1025), ("submission", 1587), ("submissions", 1465)])
def test_a_role_has_its_port_and_listens_to_everybody(now: datetime, role: str, port: int) -> None:
    _add(now, role, role)
    listener = Listener.objects.get()
    assert (listener.port, listener.address, listener.address6, listener.enabled) == (port, "0.0.0.0", "::", True)  # noqa: S104  # compared


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"role": "pigeon"}, "role"),
        ({"name": ""}, "name"),
        ({"name": "with space"}, "name"),
        ({"name": "Großschrift"}, "name"),
        ({"port": 0}, "port"),
        ({"port": 65536}, "port"),
        ({"port": -25}, "port"),
        ({"address": "300.1.1.1"}, "address"),
        ({"address": "mail.example.org"}, "address"),
        ({"address": "::1"}, "address"),
        ({"address6": "127.0.0.1"}, "address6"),
        ({"address6": "fe80::1%eth0"}, "address6"),
        ({"address": None, "address6": None}, "address"),
        ({"address": "", "address6": "none"}, "address"),
        ({"max_connections": 0}, "max_connections"),
        ({"max_connections_per_address": -1}, "max_connections_per_address"),
    ],
)
def test_a_wrong_value_is_refused_under_its_field(now: datetime, values: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError) as refused:
        _add(now, **values)
    assert field in refused.value.message_dict
    assert not Listener.objects.exists()


def test_an_address_is_kept_in_its_short_form(now: datetime) -> None:
    _add(now, address="none", address6="2001:0DB8:0:0::1")
    listener = Listener.objects.get()
    assert (listener.address, listener.address6) == (None, "2001:db8::1")


def test_a_name_is_used_once(now: datetime) -> None:
    _add(now)
    with pytest.raises(ValidationError, match="already a listener"):
        _add(now, port=2587)


@pytest.mark.parametrize(
    ("first", "second", "refused"),
    [
        ({}, {}, True),
        ({"address": "192.0.2.1"}, {"address": "192.0.2.1"}, True),
        ({"address": "192.0.2.1"}, {"address": "192.0.2.2"}, False),
        ({"address": "192.0.2.1"}, {"address": "0.0.0.0"}, True),  # noqa: S104  # a value, not bound
        ({"address6": "::", "address": None}, {"address6": "2001:db8::1", "address": None}, True),
        ({"address6": "::1", "address": None}, {"address6": "0:0::1", "address": None}, True),
        ({"address6": None}, {"address": None, "address6": "::"}, False),
    ],
)
def test_two_listeners_do_not_share_a_port_of_an_address(
    now: datetime, first: dict[str, Any], second: dict[str, Any], *, refused: bool
) -> None:
    alone: dict[str, Any] = {"address6": None, "port": 2500}
    _add(now, **{**alone, **first})
    if refused:
        with pytest.raises(ValidationError, match="Port 2500 on this address belongs to the listener “submission”"):
            _add(now, "second", **{**alone, **second})
    else:
        _add(now, "second", **{**alone, **second})


def test_a_listener_that_is_off_takes_no_port_but_cannot_be_turned_on_over_another(now: datetime) -> None:
    _add(now)
    second = _add(now, "second", enabled=False)
    with pytest.raises(ValidationError, match="belongs to the listener"):
        services.change(second, actor="test", now=now, enabled=True)
    services.change(second, actor="test", now=now, enabled=True, port=2587)
    assert Listener.objects.get(name="second").enabled


def test_a_change_to_another_ones_port_is_refused_and_changes_nothing(now: datetime) -> None:
    listener = _add(now)
    _add(now, "submissions", "submissions")
    number = generation.number()
    with pytest.raises(ValidationError, match="Port 1465"):
        services.change(listener, actor="test", now=now, port=1465)
    assert Listener.objects.get(name="submission").port == 1587
    assert generation.number() == number


def test_a_listener_may_keep_its_own_port(now: datetime) -> None:
    listener = services.change(_add(now), actor="test", now=now, port=1587, max_connections=10)
    assert listener.max_connections == 10


def test_a_change_tells_before_and_after_and_is_announced(now: datetime) -> None:
    listener = _add(now)
    number = generation.number()
    services.change(listener, actor="hanako@example.org", now=now, port=587, address=None, enabled=True)
    entry = Entry.objects.latest("id")
    assert (entry.verb, entry.subject) == ("listener.change", "submission")
    assert entry.before == {"port": 1587, "address": "0.0.0.0"}  # noqa: S104  # compared
    assert entry.after == {"port": 587, "address": None}
    assert generation.number() == number + 1


def test_a_change_to_the_same_is_not_announced(now: datetime) -> None:
    listener = _add(now)
    number = generation.number()
    services.change(listener, actor="test", now=now, port=1587, address6="0::0")
    assert generation.number() == number
    assert Entry.objects.count() == 1


def test_the_last_address_cannot_be_given_up(now: datetime) -> None:
    listener = services.change(_add(now), actor="test", now=now, address=None)
    with pytest.raises(ValidationError, match="needs an IPv4 or an IPv6 address"):
        services.change(listener, actor="test", now=now, address6="")


@pytest.mark.parametrize("field", ["role", "name", "id"])
def test_what_a_listener_is_does_not_change(now: datetime, field: str) -> None:
    with pytest.raises(TypeError):
        services.change(_add(now), actor="test", now=now, **{field: "mx"})


def test_a_removed_listener_is_gone_and_a_change_of_it_is_refused(now: datetime) -> None:
    listener = _add(now)
    copy = services.find("submission")
    number = generation.number()
    services.remove(listener, actor="test", now=now)
    assert generation.number() == number + 1
    with pytest.raises(ValidationError, match="no listener"):
        services.find("submission")
    with pytest.raises(ValidationError, match="removed meanwhile"):
        services.change(copy, actor="test", now=now, port=2)
