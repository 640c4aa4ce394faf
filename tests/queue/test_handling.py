"""What people may do to mail, and what it leaves."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from django.db import transaction

from mailadmin.accounts.models import Account
from mailadmin.activity.models import Entry
from mailadmin.bodies.models import BodyChunk
from mailadmin.generation.services import number as generation
from mailadmin.queue import services
from mailadmin.queue.envelopes import NewRecipient, queue_id
from mailadmin.queue.handling import AT_ONCE
from mailadmin.queue.models import Attempt, Message, MessageBody, Recipient, State
from mailadmin.queue.services import Selection
from mailadmin.server.models import Server
from tests.cast import ADMINISTRATOR, BECKY, OUTLOOK, Person
from tests.ground.clock import Clock
from tests.queue.mail import FRIEND, a_message, claim, deliver, notices, put, states

pytestmark = [pytest.mark.django_db(databases="__all__"), pytest.mark.usefixtures("server")]
ACTOR = ADMINISTRATOR.address
ACTIONS: dict[str, Callable[..., int]] = {
    "hold": services.hold,
    "release": services.release,
    "retry": services.retry,
    "cancel": services.cancel,
    "give_back": services.give_back,
}


def _account(person: Person, now: datetime) -> Account:
    return Account.objects.create(address=person.address, created_at=now, password_changed_at=now)


def _of(message: int) -> Selection:
    return Selection(messages=[message])


def test_held_mail_is_not_delivered_until_it_is_released(clock: Clock) -> None:
    message = put(clock.now)
    assert services.hold(_of(message), actor=ACTOR, now=clock.now) == 1
    assert Recipient.objects.get().hold_reason == "admin"
    assert claim(clock.advance(timedelta(days=1))) == []
    assert services.release(_of(message), actor=ACTOR, now=clock.now) == 1
    assert Recipient.objects.get().hold_reason == ""
    assert len(claim(clock.now)) == 1


def test_a_retry_makes_deferred_mail_due_now(now: datetime) -> None:
    message = put(now)
    deliver(now, "deferred")
    assert claim(now) == []
    assert services.retry(_of(message), actor=ACTOR, now=now) == 1
    assert len(claim(now)) == 1


def test_cancelled_mail_ends_and_nobody_is_told(now: datetime) -> None:
    message = put(now)
    assert services.cancel(_of(message), actor=ACTOR, now=now) == 1
    recipient = Recipient.objects.get()
    assert (recipient.state, recipient.finished_at, recipient.attempts) == (State.CANCELLED, now, 0)
    assert recipient.last_reply == f"cancelled by {ACTOR}"
    assert not MessageBody.objects.exists()
    assert notices() == []


def test_returned_mail_goes_back_to_its_sender_now(now: datetime) -> None:
    message = put(now, FRIEND, NewRecipient("other@example.com", "example.com", "NEVER"))
    assert services.give_back(_of(message), actor=ACTOR, now=now) == 2
    assert states(message) == [State.FAILED, State.FAILED]
    ((_, octets),) = notices()
    assert octets.count(b"Action: failed") == 1
    assert b"Status: 5.3.0" in octets
    assert b"Reporting-MTA: dns; mail.example.org" in octets
    assert Message.objects.get(pk=message).open_recipients == 0
    assert not Attempt.objects.exists()


@pytest.mark.django_db(transaction=True, databases="__all__")
def test_the_chunks_of_cancelled_mail_go(now: datetime) -> None:
    message = put(now, chunks=[b"x" * 100])
    services.cancel(_of(message), actor=ACTOR, now=now)
    assert not BodyChunk.objects.exists()


@pytest.mark.parametrize("action", ACTIONS)
def test_what_is_being_delivered_is_left_alone(now: datetime, action: str) -> None:
    message = put(now)
    claim(now)
    assert ACTIONS[action](_of(message), actor=ACTOR, now=now) == 0
    assert states(message) == [State.DELIVERING]
    assert not Entry.objects.exists()


@pytest.mark.parametrize("action", ACTIONS)
def test_what_is_done_is_left_alone(now: datetime, action: str) -> None:
    message = put(now)
    deliver(now)
    assert ACTIONS[action](_of(message), actor=ACTOR, now=now) == 0
    assert states(message) == [State.DELIVERED]


@pytest.mark.parametrize("action", ["hold", "retry", "cancel", "give_back"])
def test_an_action_leaves_an_entry_that_names_the_message(now: datetime, action: str) -> None:
    message = put(now, FRIEND, "other@example.com")
    ACTIONS[action](_of(message), actor=ACTOR, now=now)
    entry = Entry.objects.get()
    assert (entry.actor, entry.verb, entry.subject) == (ACTOR, f"queue.{action}", queue_id(message))
    assert (entry.at, entry.after) == (now, {"recipients": 2})


def test_mail_is_chosen_by_message_recipient_domain_account_or_all(now: datetime) -> None:
    account = _account(BECKY, now)
    first = put(now, "a@one.example", "b@two.example", account=account.pk)
    second = put(now, "c@two.example")
    b = Recipient.objects.get(address="b@two.example")

    def held(chosen: Selection) -> list[str]:
        services.hold(chosen, actor=ACTOR, now=now)
        found = list(Recipient.objects.filter(state=State.HELD).order_by("pk").values_list("address", flat=True))
        services.release(Selection(everything=True), actor=ACTOR, now=now)
        return found

    assert held(Selection(messages=[first])) == ["a@one.example", "b@two.example"]
    assert held(Selection(recipients=[b.pk])) == ["b@two.example"]
    assert held(Selection(domain="two.example")) == ["b@two.example", "c@two.example"]
    assert held(Selection(account=account.pk)) == ["a@one.example", "b@two.example"]
    assert held(Selection(messages=[second], domain="one.example")) == []
    assert held(Selection(messages=[])) == []
    assert held(Selection(everything=True)) == ["a@one.example", "b@two.example", "c@two.example"]


def test_a_message_or_recipients_may_be_given_as_they_are(now: datetime) -> None:
    put(now, FRIEND, "other@example.com")
    assert services.hold(Message.objects.get(), actor=ACTOR, now=now) == 2
    assert services.release(list(Recipient.objects.filter(address=FRIEND)), actor=ACTOR, now=now) == 1


def test_to_choose_nothing_is_not_to_choose_everything(now: datetime) -> None:
    put(now)
    with pytest.raises(ValueError, match="say which mail"):
        services.cancel(Selection(), actor=ACTOR, now=now)


def test_an_action_reaches_more_mail_than_fits_into_one_step(now: datetime) -> None:
    services.enqueue([a_message(now) for _ in range(AT_ONCE + 5)], now=now)
    assert services.hold(Selection(everything=True), actor=ACTOR, now=now) == AT_ONCE + 5
    assert services.cancel(Selection(everything=True), actor=ACTOR, now=now) == AT_ONCE + 5
    assert not MessageBody.objects.exists()


def test_a_suspended_accounts_mail_is_held_and_comes_back_with_it(now: datetime) -> None:
    becky, outlook = _account(BECKY, now), _account(OUTLOOK, now)
    mine, other = put(now, account=becky.pk), put(now, account=outlook.pk)
    by_admin = put(now, account=becky.pk)
    services.hold(_of(by_admin), actor=ACTOR, now=now)
    with transaction.atomic():
        assert services.hold_account(becky.pk, now=now) == 1
    assert (states(mine), states(other)) == ([State.HELD], [State.WAITING])
    with transaction.atomic():
        assert services.release_account(becky.pk, now=now) == 1
    assert (states(mine), states(by_admin)) == ([State.WAITING], [State.HELD])


def test_what_was_under_way_at_the_suspension_is_held_when_it_comes_back(clock: Clock) -> None:
    becky = _account(BECKY, clock.now)
    message = put(clock.now, account=becky.pk)
    claimed = claim(clock.now)
    Account.objects.filter(pk=becky.pk).update(suspended_at=clock.now)
    assert services.hold_account(becky.pk, now=clock.now) == 0
    services.let_go(owner="one:1", recipients=[each.id for each in claimed[0].recipients])
    assert claim(clock.now) == []
    assert states(message) == [State.HELD]


def test_an_accounts_mail_can_be_cancelled_as_a_whole(now: datetime) -> None:
    becky = _account(BECKY, now)
    first, second = put(now, account=becky.pk), put(now)
    assert services.cancel_account(becky.pk, actor=ACTOR, now=now) == 1
    assert (states(first), states(second)) == ([State.CANCELLED], [State.WAITING])


def test_a_pause_is_policy_and_leaves_one_entry(now: datetime) -> None:
    before = generation()
    services.pause(actor=ACTOR, now=now)
    assert Server.objects.get().queue_paused
    assert generation() == before + 1
    services.pause(actor=ACTOR, now=now)
    assert generation() == before + 1
    services.resume(actor=ACTOR, now=now)
    assert not Server.objects.get().queue_paused
    assert list(Entry.objects.order_by("pk").values_list("verb", flat=True)) == ["queue.pause", "queue.resume"]
