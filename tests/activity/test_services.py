"""What people changed and who signed in, as it is written down."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from mailadmin.accounts import services as accounts
from mailadmin.activity import services
from mailadmin.activity.models import Entry, SignIn
from mailadmin.queue.envelopes import SignInEvent
from tests.cast import ADMINISTRATOR, BECKY

pytestmark = pytest.mark.django_db


def test_an_entry_has_actor_time_and_both_values(now: datetime) -> None:
    services.record(actor=ADMINISTRATOR.address, verb="x.y", subject="it", now=now, before={"a": 1}, after={"a": None})
    entry = Entry.objects.get()
    assert (entry.actor, entry.verb, entry.subject, entry.at) == (ADMINISTRATOR.address, "x.y", "it", now)
    assert (entry.before, entry.after) == ({"a": 1}, {"a": None})


def test_a_batch_of_sign_ins_is_two_statements_however_long(
    now: datetime, django_assert_num_queries: pytest.FixtureRequest
) -> None:
    account = accounts.add(actor="test", now=now, address=BECKY.address, password=BECKY.password)
    events = [_event(now, account=account.pk) for _ in range(20)]
    # The savepoint of the test's own transaction, the accounts that are left, the rows.
    with django_assert_num_queries(4):  # type: ignore[operator]  # pytest-django's fixture has no public type
        services.add_sign_ins(events)
    assert SignIn.objects.filter(account=account, result="ok").count() == 20


def test_an_empty_batch_asks_the_database_nothing(django_assert_num_queries: pytest.FixtureRequest) -> None:
    with django_assert_num_queries(0):  # type: ignore[operator]  # see above
        services.add_sign_ins([])


def test_a_sign_in_of_an_account_removed_meanwhile_is_kept_without_it(now: datetime) -> None:
    services.add_sign_ins([_event(now, account=4711), _event(now)])
    assert [row.account_id for row in SignIn.objects.all()] == [None, None]


def test_what_a_client_says_is_cut_to_what_both_databases_store(now: datetime) -> None:
    services.add_sign_ins([_event(now, login="a\0\udcff" + "x" * 1000, helo="y" * 1000, client="z" * 1000)])
    row = SignIn.objects.get()
    assert row.login == "a\ufffd?" + "x" * 252
    assert (len(row.helo), len(row.client)) == (255, 64)


def _event(now: datetime, **values: object) -> SignInEvent:
    known = {"login": BECKY.address, "listener": "submission", "client": "192.0.2.7", "result": "ok"}
    return SignInEvent(at=now, **{**known, **values})  # type: ignore[arg-type]  # the values of one test


def test_old_sign_ins_are_swept_and_what_people_changed_is_kept(now: datetime) -> None:
    services.record(actor=ADMINISTRATOR.address, verb="x.y", subject="it", now=now - timedelta(days=400))
    services.add_sign_ins([_event(now - timedelta(days=91)) for _ in range(services.SWEPT_AT_ONCE + 3)])
    services.add_sign_ins([_event(now - timedelta(days=89))])
    assert services.sweep(now - timedelta(days=90)) == services.SWEPT_AT_ONCE + 3
    assert SignIn.objects.count() == 1
    assert Entry.objects.count() == 1
