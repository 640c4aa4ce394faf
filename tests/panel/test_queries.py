"""How many queries a page costs: at most twelve, and no more with more rows."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from mailadmin.accounts import services as accounts
from mailadmin.accounts.models import Account
from mailadmin.activity import services as activity
from mailadmin.queue.envelopes import SignInEvent
from tests.cast import BECKY
from tests.panel import people

pytestmark = pytest.mark.django_db
MOST: Final = 12
PAGES: Final = (
    "panel:overview",
    "panel:in_force",
    "accounts:list",
    "accounts:add",
    "mail:list",
    "activity:list",
    "activity:sign_ins",
    "settings:server",
    "settings:domains",
    "settings:listeners",
    "settings:delivery",
    "settings:certificate",
)
PAGES_OF_ONE: Final = ("detail", "first_sign_in", "edit", "password", "remove")


def _queries(browser: Client, path: str) -> int:
    with CaptureQueriesContext(
        connection,
    ) as captured:
        assert browser.get(path).status_code == 200
    return len(captured)


def _sign_in(account: Account) -> None:
    now = timezone.now()
    events = [
        SignInEvent(now - timedelta(hours=hour), account.address, "submission", "192.0.2.1", "ok", account.pk)
        for hour in range(20)
    ]
    activity.add_sign_ins(events)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_costs_twelve_queries_at_most_however_many_rows_it_shows(panel: Client, name: str) -> None:
    few = _queries(panel, reverse(name))
    for number in range(20):
        account = accounts.add(
            actor="test",
            now=people.BEGIN,
            address=f"person{number}@example.org",
            password=BECKY.password,
            senders=["*@lists.example.org"],
        )
    _sign_in(account)
    many = _queries(panel, reverse(name))
    assert many <= MOST
    # The first row of a kind may bring one look-up of its own (the rows that belong to it).
    assert many <= few + 2


@pytest.mark.parametrize("page", PAGES_OF_ONE)
def test_a_page_of_one_account_costs_twelve_queries_at_most(panel: Client, page: str) -> None:
    account = people.add(BECKY)
    _sign_in(account)
    assert _queries(panel, reverse(f"accounts:{page}", args=[account.pk])) <= MOST
