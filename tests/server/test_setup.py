"""The first run: all of it or nothing, and once."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from mailadmin.accounts.models import Account
from mailadmin.activity.models import Entry
from mailadmin.routing.models import Domain, Route
from mailadmin.routing.targets import SmarthostInput, WayOut
from mailadmin.server import services, setup
from tests.cast import ADMINISTRATOR, BECKY

pytestmark = pytest.mark.django_db
RELAY = SmarthostInput("relay.example.net", 587, "starttls", "household", "pass")


def _wanted(**changes: object) -> dict[str, Any]:
    return {
        "hostname": "mail.example.org",
        "domain": "example.org",
        "administrator": ADMINISTRATOR.address,
        "administrator_password": ADMINISTRATOR.password,
        "way_out": WayOut("smarthost", (RELAY,)),
        **changes,
    }


def _run(now: datetime, **changes: object) -> setup.Outcome:
    return setup.run(now=now, actor="command line", **_wanted(**changes))


def test_it_makes_administrator_domain_and_way_out(now: datetime) -> None:
    outcome = _run(now)
    assert outcome.password is None
    account = Account.objects.get()
    assert account.is_administrator
    assert account.check_password(ADMINISTRATOR.password)
    assert services.get().hostname == "mail.example.org"
    assert services.is_set_up()
    assert Domain.objects.get().name == "example.org"
    assert Route.objects.get(pattern="*").smarthosts.get().host == "relay.example.net"
    assert set(Entry.objects.exclude(actor="system").values_list("actor", flat=True)) == {"command line"}


def test_without_a_password_one_is_generated_and_told_once(now: datetime) -> None:
    outcome = _run(now, administrator_password=None)
    assert outcome.password is not None
    assert Account.objects.get().check_password(outcome.password)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"hostname": "no name"}, "hostname"),
        ({"domain": "no domain"}, "name"),
        ({"administrator": "hanako"}, "address"),
        ({"administrator_password": "short"}, "password"),
        ({"way_out": WayOut("smarthost", (SmarthostInput("relay", username="u"),))}, "password"),
        ({"way_out": WayOut("smarthost")}, "via"),
    ],
)
def test_a_wrong_value_leaves_nothing_behind(now: datetime, changes: dict[str, object], field: str) -> None:
    with pytest.raises(ValidationError) as refused:
        _run(now, **changes)
    assert field in refused.value.message_dict
    assert not services.is_set_up()
    assert not Account.objects.exists()
    assert not Domain.objects.exists()
    assert services.get().hostname == "localhost"
    _run(now)


def test_another_one_is_refused(now: datetime) -> None:
    _run(now)
    with pytest.raises(ValidationError, match="set up already"):
        _run(now, administrator=BECKY.address)
    assert Account.objects.count() == 1


def test_an_account_that_is_there_becomes_the_administrator(now: datetime) -> None:
    services.initialise(now)
    setup.make_administrator(actor="first run", now=now, address=ADMINISTRATOR.address, password=BECKY.password)
    _run(now)
    account = Account.objects.get()
    assert account.is_administrator
    assert account.check_password(ADMINISTRATOR.password)


@pytest.mark.parametrize(
    ("changes", "stands"),
    [
        ({}, True),
        ({"hostname": "MAIL.example.org", "domain": "Example.ORG", "administrator": "HANAKO@example.org"}, True),
        ({"administrator_password": None}, True),
        ({"hostname": "other.example.org"}, False),
        ({"domain": "example.net"}, False),
        ({"administrator": BECKY.address}, False),
        ({"administrator_password": BECKY.password}, False),
        ({"way_out": WayOut("mx")}, False),
        ({"way_out": WayOut("smarthost", (SmarthostInput("other.example.net"),))}, False),
        ({"hostname": "no name"}, False),
    ],
)
def test_the_same_one_again_is_recognized(now: datetime, changes: dict[str, object], *, stands: bool) -> None:
    assert not setup.stands(**_wanted())
    _run(now)
    assert setup.stands(**_wanted(**changes)) is stands
