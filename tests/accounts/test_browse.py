"""The questions behind the list of accounts."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from mailadmin.accounts import browse, services
from mailadmin.accounts.models import Account, SenderAddress
from mailadmin.activity import services as activity
from mailadmin.queue.envelopes import SignInEvent
from tests.cast import ACCOUNTS, ADMINISTRATOR, BECKY, OUTLOOK, SUSPENDED, Person

pytestmark = pytest.mark.django_db


@pytest.fixture
def cast(now: datetime) -> dict[str, Account]:
    """Everybody who has an account, by address."""
    people = {
        person.address: services.add(
            actor="test",
            now=now,
            address=person.address,
            password=person.password,
            name=person.name,
            is_administrator=person.is_administrator,
            note="plays the koto" if person is OUTLOOK else "",
            senders=["shop@example.net"] if person is BECKY else [],
        )
        for person in ACCOUNTS
    }
    services.suspend(people[SUSPENDED.address], actor="test", now=now)
    return people


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("ICHI", [BECKY]),
        ("koto", [OUTLOOK]),
        ("shop@", [BECKY]),
        ("hanako sato", [ADMINISTRATOR]),
        ("sato hanako", [ADMINISTRATOR]),
        ("example.net", [BECKY]),
        ("nobody", []),
        ("%", []),
        ("_", []),
    ],
)
@pytest.mark.usefixtures("cast")
def test_a_search_looks_into_address_name_note_and_senders(search: str, found: list[Person]) -> None:
    assert [account.address for account in browse.matching(search)] == [person.address for person in found]


@pytest.mark.parametrize(
    ("show", "number"), [("all", 4), ("active", 3), ("suspended", 1), ("administrators", 1), ("x", 4)]
)
@pytest.mark.usefixtures("cast")
def test_a_filter_shows_what_it_says(show: str, number: int) -> None:
    assert browse.matching(show=show).count() == number


def test_the_last_sign_in_is_the_last_that_succeeded(cast: dict[str, Account], now: datetime) -> None:
    account = cast[BECKY.address]
    for minutes, result in ((0, "ok"), (5, "ok"), (9, "password")):
        at = now + timedelta(minutes=minutes)
        activity.add_sign_ins([SignInEvent(at, BECKY.address, "submission", "192.0.2.7", result, account.pk)])
    seen = {account.address: vars(account)["signed_in_at"] for account in browse.matching()}
    assert seen[BECKY.address] == now + timedelta(minutes=5)
    assert seen[OUTLOOK.address] is None


def test_a_page_has_fifty_and_takes_three_queries(
    now: datetime, django_assert_num_queries: pytest.FixtureRequest
) -> None:
    people = Account.objects.bulk_create(
        Account(address=f"p{number:03}@example.org", created_at=now, password_changed_at=now) for number in range(120)
    )
    SenderAddress.objects.bulk_create(SenderAddress(account=person, pattern=person.address) for person in people)
    with django_assert_num_queries(3):  # type: ignore[operator]  # pytest-django's fixture has no public type
        page = browse.page(number=2)
        rows = [(account.address, [sender.pattern for sender in account.senders.all()]) for account in page]
    assert [address for address, _ in rows] == [f"p{number:03}@example.org" for number in range(50, 100)]
    assert browse.page(number=99).number == 3
    assert browse.page(number="x").number == 1
