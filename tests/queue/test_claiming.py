"""A claim takes what is due, once, and gives it up when its owner is gone."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta

import pytest
from django.db import connection, connections

from mailadmin.accounts.models import Account
from mailadmin.queue import services
from mailadmin.queue.models import Recipient, State
from mailadmin.queue.services import Scope
from tests.cast import BECKY
from tests.ground.clock import Clock
from tests.queue.mail import FRIEND, LEASE, OWNER, a_message, a_verdict, claim, put, record, states

pytestmark = pytest.mark.django_db(databases="__all__")


def _account(now: datetime, *, suspended: bool) -> Account:
    return Account.objects.create(
        address=BECKY.address, created_at=now, password_changed_at=now, suspended_at=now if suspended else None
    )


def test_a_claim_brings_the_message_with_its_recipients(now: datetime) -> None:
    number = put(now, FRIEND, "other@example.com", envid="e", ret="FULL", smtputf8=True)
    (message,) = claim(now)
    assert (message.id, message.sender, message.accepted_at) == (number, BECKY.address, now)
    assert (message.envid, message.ret, message.smtputf8, message.eight_bit) == ("e", "FULL", True, False)
    assert [each.address for each in message.recipients] == [FRIEND, "other@example.com"]
    assert [(each.attempts, each.delay_notified) for each in message.recipients] == [(0, False)] * 2
    row = Recipient.objects.first()
    assert row is not None
    assert (row.state, row.lease_owner, row.lease_until) == (State.DELIVERING, OWNER, now + LEASE)


def test_what_is_claimed_is_not_claimed_again(now: datetime) -> None:
    put(now)
    assert len(claim(now)) == 1
    assert claim(now, owner="two:2") == []


def test_what_is_due_longest_comes_first(clock: Clock) -> None:
    later = put(clock.advance(10))
    earlier = put(clock.now - timedelta(seconds=5))
    assert [message.id for message in claim(clock.now, limit=1)] == [earlier]
    assert [message.id for message in claim(clock.now, limit=1)] == [later]


def test_what_is_not_due_stays(clock: Clock) -> None:
    put(clock.now + timedelta(seconds=1))
    assert claim(clock.now) == []
    assert services.next_due() == clock.now + timedelta(seconds=1)
    assert len(claim(clock.advance(1))) == 1
    assert services.next_due() is None


def test_the_recipients_of_a_message_are_not_torn_apart_by_the_limit(now: datetime) -> None:
    put(now, *(f"r{number}@example.net" for number in range(10)))
    put(now)
    (message,) = claim(now, limit=3)
    assert len(message.recipients) == 10


def test_a_lease_that_ran_out_is_claimed_by_others(clock: Clock) -> None:
    put(clock.now)
    claim(clock.now)
    assert claim(clock.advance(LEASE - timedelta(seconds=1)), owner="two:2") == []
    assert len(claim(clock.advance(1), owner="two:2")) == 1
    assert Recipient.objects.get().lease_owner == "two:2"


def test_a_renewed_lease_holds(clock: Clock) -> None:
    put(clock.now)
    ids = [each.id for message in claim(clock.now) for each in message.recipients]
    clock.advance(100)
    assert services.renew(owner=OWNER, recipients=ids, now=clock.now, lease=LEASE) == 1
    assert claim(clock.advance(100), owner="two:2") == []


def test_nobody_renews_a_lease_of_another(now: datetime) -> None:
    put(now)
    ids = [each.id for message in claim(now) for each in message.recipients]
    assert services.renew(owner="two:2", recipients=ids, now=now, lease=LEASE) == 0


def test_a_runner_gives_back_what_it_did_not_try(now: datetime) -> None:
    number = put(now)
    ids = [each.id for message in claim(now) for each in message.recipients]
    assert services.let_go(owner="two:2", recipients=ids) == 0
    assert services.let_go(owner=OWNER, recipients=ids) == 1
    assert states(number) == [State.WAITING]
    assert len(claim(now, owner="two:2")) == 1


def test_a_runner_frees_what_was_claimed_in_its_name_without_its_knowing(now: datetime) -> None:
    known, unknown, others = put(now), put(now), put(now)
    (first,) = claim(now, limit=1)[0].recipients
    claim(now, limit=1)
    claim(now, owner="two:2", limit=1)
    assert services.let_go_but(owner=OWNER, known=[first.id]) == 1
    assert [states(number) for number in (known, unknown, others)] == [
        [State.DELIVERING],
        [State.WAITING],
        [State.DELIVERING],
    ]
    assert services.let_go_but(owner=OWNER, known=[]) == 1
    assert services.lease_owners() == ["two:2"]


def test_what_a_dead_runner_had_claimed_is_free_at_once(now: datetime) -> None:
    put(now)
    put(now)
    claim(now, owner="one:1", limit=1)
    claim(now, owner="two:2", limit=1)
    assert sorted(services.lease_owners()) == ["one:1", "two:2"]
    assert services.let_go_all(["one:1"]) == 1
    assert len(claim(now, owner="one:9")) == 1
    assert sorted(services.lease_owners()) == ["one:9", "two:2"]


def test_mail_of_a_suspended_account_is_held_and_not_claimed(now: datetime) -> None:
    number = put(now, account=_account(now, suspended=True).pk)
    assert claim(now) == []
    assert states(number) == [State.HELD]
    assert Recipient.objects.get().hold_reason == "account"


def test_mail_of_an_account_that_is_not_suspended_is_claimed_beside_it(now: datetime) -> None:
    put(now, account=_account(now, suspended=True).pk)
    number = put(now)
    assert [message.id for message in claim(now)] == [number]


def test_a_claim_stays_within_its_scope(now: datetime) -> None:
    number = put(now, "a@one.example", "b@two.example", "c@three.example")

    def claimed(scope: Scope) -> list[str]:
        found = services.claim(owner=OWNER, now=now, lease=LEASE, limit=9, scope=scope)
        return [recipient.domain for message in found for recipient in message.recipients]

    assert claimed(Scope(only=())) == []
    assert claimed(Scope(only=("two.example",))) == ["two.example"]
    assert services.next_due(Scope(only=("two.example",))) is None
    assert claimed(Scope(without=("three.example",))) == ["one.example"]
    assert states(number) == [State.DELIVERING, State.DELIVERING, State.WAITING]
    assert services.next_due(Scope(without=("one.example",))) == now


def test_a_deferred_recipient_is_claimed_with_its_attempts(clock: Clock) -> None:
    put(clock.now)
    record(clock.now, claim(clock.now), a_verdict("deferred"))
    (message,) = claim(clock.advance(timedelta(minutes=10)))
    assert [each.attempts for each in message.recipients] == [1]


def test_a_look_at_an_idle_queue_takes_no_write_lock(now: datetime) -> None:
    statements: list[str] = []

    def note(execute: object, sql: str, *arguments: object) -> object:
        statements.append(sql)
        return execute(sql, *arguments)  # type: ignore[operator]  # Django's own callable

    with connection.execute_wrapper(note):
        claim(now)
    assert len(statements) == 1
    assert statements[0].startswith("SELECT")


@pytest.mark.django_db(transaction=True, databases="__all__")
def test_runners_that_claim_at_the_same_time_share_the_mail_without_overlap(now: datetime) -> None:
    services.enqueue([a_message(now, FRIEND, "other@example.com") for _ in range(60)], now=now)
    start = threading.Barrier(4)
    taken: list[int] = []

    def run(owner: str) -> None:
        start.wait()
        while found := claim(now, owner=owner, limit=7):
            taken.extend(recipient.id for message in found for recipient in message.recipients)
        connections.close_all()

    runners = [threading.Thread(target=run, args=(f"node:{number}",)) for number in range(4)]
    for runner in runners:
        runner.start()
    for runner in runners:
        runner.join()
    # A claim passes over messages that another one holds, so somebody may have stopped early.
    taken += [recipient.id for message in claim(now, owner="node:9") for recipient in message.recipients]
    assert len(taken) == len(set(taken)) == 120


@pytest.mark.django_db(transaction=True, databases="__all__")
@pytest.mark.sqlite_only
def test_the_statements_of_a_claim_go_by_the_index_of_what_is_due(now: datetime) -> None:
    plans: list[str] = []

    def explain(execute: object, sql: str, parameters: object, many: object, context: dict[str, object]) -> object:
        if sql.startswith(("SELECT", "UPDATE")):
            with connections["default"].cursor() as cursor:
                cursor.cursor.execute("EXPLAIN QUERY PLAN " + sql, parameters)
                plans.extend(row[-1] for row in cursor.cursor.fetchall())
        return execute(sql, parameters, many, context)  # type: ignore[operator]  # Django's own callable

    put(now)
    with connection.execute_wrapper(explain):
        services.claim(owner=OWNER, now=now, lease=LEASE, limit=9, scope=Scope(without=("busy.example",)))
    assert not [plan for plan in plans if plan.startswith("SCAN") and "CONSTANT ROW" not in plan], plans
