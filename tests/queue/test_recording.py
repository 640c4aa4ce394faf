"""What a delivery came to: the state, the timeline, the next try, the notice, and the end of the body."""

from __future__ import annotations

from datetime import datetime, timedelta
from email import message_from_bytes, policy

import pytest

from mailadmin.bodies import services as bodies
from mailadmin.bodies.models import BodyChunk
from mailadmin.queue import services
from mailadmin.queue.envelopes import NewRecipient, Result, queue_id
from mailadmin.queue.models import Attempt, Message, MessageBody, Recipient, State
from tests.cast import BECKY
from tests.ground.clock import Clock
from tests.queue.mail import FRIEND, OWNER, RULES, a_verdict, chance, claim, deliver, notices, put, record, states

pytestmark = pytest.mark.django_db(databases="__all__")


def test_delivered_is_the_end_of_recipient_and_body(now: datetime) -> None:
    number = put(now)
    assert deliver(now) == 1
    recipient = Recipient.objects.get()
    assert (recipient.state, recipient.finished_at, recipient.attempts) == (State.DELIVERED, now, 1)
    assert (recipient.lease_owner, recipient.lease_until) == ("", None)
    assert recipient.last_reply == "250 2.0.0 it is delivered"
    assert Message.objects.get(pk=number).open_recipients == 0
    assert not MessageBody.objects.exists()
    with pytest.raises(bodies.BodyMissing):
        list(bodies.read(number))


def test_an_attempt_keeps_the_servers_words(now: datetime) -> None:
    put(now)
    deliver(now, "failed")
    attempt = Attempt.objects.get()
    assert (attempt.at, attempt.outcome, attempt.stage) == (now, "failed", "rcpt")
    assert (attempt.code, attempt.enhanced, attempt.reply) == (550, "5.1.1", "it is failed")
    assert attempt.peer == "mx.example.net[192.0.2.1]:25"


def test_a_long_reply_is_cut_to_the_column(now: datetime) -> None:
    put(now)
    record(now, claim(now), a_verdict("failed", reply="あ" * 5000))
    assert len(Attempt.objects.get().reply) == 1000
    assert len(Recipient.objects.get(message__sender=BECKY.address).last_reply) == 1000


def test_the_body_stays_while_one_recipient_is_open(clock: Clock) -> None:
    number = put(clock.now, FRIEND, "other@example.com")
    (message,) = claim(clock.now)
    first, second = message.recipients
    results = [
        Result(first.id, a_verdict("delivered"), clock.now),
        Result(second.id, a_verdict("deferred"), clock.now),
    ]
    services.record(results, owner=OWNER, now=clock.now, rules=RULES)
    assert states(number) == [State.DELIVERED, State.WAITING]
    assert Message.objects.get(pk=number).open_recipients == 1
    assert b"".join(bodies.read(number))
    clock.advance(timedelta(minutes=10))
    deliver(clock.now)
    assert not MessageBody.objects.exists()


@pytest.mark.django_db(transaction=True, databases="__all__")
def test_the_chunks_of_a_large_body_go_after_the_commit(now: datetime) -> None:
    number = put(now, chunks=[b"a" * 1000, b"b" * 1000])
    assert BodyChunk.objects.filter(message=number).count() == 2
    deliver(now)
    assert not BodyChunk.objects.exists()


def test_a_deferred_recipient_waits_its_time(clock: Clock) -> None:
    put(clock.now)
    deliver(clock.now, "deferred")
    recipient = Recipient.objects.get()
    wait = recipient.next_attempt_at - clock.now
    assert (recipient.state, recipient.attempts) == (State.WAITING, 1)
    assert timedelta(minutes=4) < wait < timedelta(minutes=6)
    clock.advance(wait)
    deliver(clock.now, "deferred")
    wait = Recipient.objects.get().next_attempt_at - clock.now
    assert timedelta(minutes=9) <= wait <= timedelta(minutes=11)


def test_recipients_that_were_deferred_together_go_together_again(now: datetime) -> None:
    put(now, *(f"r{number}@example.net" for number in range(5)))
    put(now)
    deliver(now, "deferred")
    first, second = (
        set(Recipient.objects.filter(message=message).values_list("next_attempt_at", flat=True))
        for message in Message.objects.all()
    )
    assert len(first) == len(second) == 1
    assert first != second


def test_who_lost_the_lease_changes_no_state_and_leaves_the_attempt(now: datetime) -> None:
    number = put(now)
    claimed = claim(now)
    ids = [recipient.id for recipient in claimed[0].recipients]
    services.let_go(owner=OWNER, recipients=ids)
    claim(now, owner="two:2")
    assert record(now, claimed, a_verdict("failed"), owner=OWNER) == 0
    assert states(number) == [State.DELIVERING]
    assert Attempt.objects.count() == 1
    assert Message.objects.get(pk=number).open_recipients == 1
    assert notices() == []
    assert record(now, claimed, a_verdict("delivered"), owner="two:2") == 1
    assert states(number) == [State.DELIVERED]


def test_a_result_is_recorded_once(now: datetime) -> None:
    put(now)
    claimed = claim(now)
    assert record(now, claimed, a_verdict("delivered")) == 1
    assert record(now, claimed, a_verdict("failed")) == 0
    assert Message.objects.get().open_recipients == 0


def test_a_failure_goes_back_to_the_sender_in_the_same_transaction(now: datetime) -> None:
    number = put(now, FRIEND)
    deliver(now, "failed")
    ((notice, octets),) = notices()
    (recipient,) = notice.recipients.all()
    assert (recipient.address, recipient.domain, recipient.state) == (BECKY.address, "example.org", State.WAITING)
    assert notice.size == len(octets)
    assert notice.pk > number
    text = message_from_bytes(octets, policy=policy.default)
    assert text["To"] == BECKY.address
    assert queue_id(number) in octets.decode()
    assert states(number) == [State.FAILED]


def test_the_failures_of_a_message_share_one_notice(now: datetime) -> None:
    put(now, FRIEND, "other@example.com")
    deliver(now, "failed")
    ((_, octets),) = notices()
    assert octets.count(b"Action: failed") == 2


def test_a_notice_that_fails_makes_no_other_notice(now: datetime) -> None:
    put(now, FRIEND)
    deliver(now, "failed")
    ((notice, _),) = notices()
    deliver(now, "failed")
    assert states(notice.pk) == [State.FAILED]
    assert len(notices()) == 1


@pytest.mark.parametrize(
    ("notify", "outcome", "told"),
    [
        ("", "failed", True),
        ("FAILURE", "failed", True),
        ("SUCCESS,DELAY", "failed", False),
        ("NEVER", "failed", False),
        ("", "delivered", False),
        ("SUCCESS", "delivered", True),
        ("SUCCESS,FAILURE", "delivered", True),
        ("NEVER", "delivered", False),
    ],
)
def test_notify_says_who_is_told_of_what(now: datetime, notify: str, outcome: str, told: bool) -> None:
    """RFC 3461 §4.1."""
    put(now, NewRecipient(FRIEND, "example.net", notify))
    deliver(now, "failed" if outcome == "failed" else "delivered")
    assert bool(notices()) is told


def test_a_server_that_took_over_the_notices_tells_of_success_itself(now: datetime) -> None:
    """RFC 3461 §5.2.2."""
    put(now, NewRecipient(FRIEND, "example.net", "SUCCESS"))
    record(now, claim(now), a_verdict("delivered", dsn=True))
    assert notices() == []


def test_mail_handed_to_a_server_without_notices_is_relayed_and_mail_in_a_mailbox_delivered(clock: Clock) -> None:
    for address in (FRIEND, "olga@example.org"):
        put(clock.now, NewRecipient(address, address.partition("@")[2], "SUCCESS"))
        ours = [message for message in claim(clock.now) if message.sender]
        record(clock.now, ours, a_verdict("delivered", stage="data"))
        clock.advance(1)
    (_, first), (_, second) = notices()
    assert b"Action: relayed" in first
    assert b"Action: delivered" in second


def test_the_sender_is_told_once_that_mail_is_late(clock: Clock) -> None:
    number = put(clock.now)
    deliver(clock.now, "deferred")
    assert notices() == []
    clock.advance(timedelta(hours=4))
    deliver(clock.now, "deferred")
    ((notice, octets),) = notices()
    assert b"Action: delayed" in octets
    assert b"Will-Retry-Until: Mon, 06 Apr 2026 09:00:00 +0000" in octets
    assert Recipient.objects.get(message=number).delay_notified
    clock.advance(timedelta(hours=5))
    deliver(clock.now, "deferred")
    assert [message for message, _ in notices()] == [notice]


@pytest.mark.parametrize(("notify", "told"), [("FAILURE", False), ("DELAY", True), ("NEVER", False)])
def test_a_delay_is_told_to_those_who_want_it(clock: Clock, notify: str, told: bool) -> None:
    put(clock.now, NewRecipient(FRIEND, "example.net", notify))
    clock.advance(timedelta(hours=5))
    deliver(clock.now, "deferred")
    assert bool(notices()) is told


def test_after_five_days_mail_is_given_up_and_goes_back(clock: Clock) -> None:
    number = put(clock.now, NewRecipient(FRIEND, "example.net", "FAILURE"))
    clock.advance(timedelta(days=5, seconds=-1))
    deliver(clock.now, "deferred")
    assert states(number) == [State.WAITING]
    clock.advance(1)
    deliver(clock.now, "deferred")
    assert states(number) == [State.FAILED]
    assert [attempt.stage for attempt in Attempt.objects.order_by("pk")] == ["rcpt", "rcpt", "expired"]
    ((_, octets),) = notices()
    assert b"Status: 4.4.7" in octets
    assert b"it is deferred" in octets


def test_mail_is_tried_once_more_before_it_is_given_up(clock: Clock) -> None:
    """However long the server was off."""
    number = put(clock.now)
    clock.advance(timedelta(days=30))
    deliver(clock.now, "delivered")
    assert states(number) == [State.DELIVERED]


def test_the_whole_message_goes_back_where_it_was_asked_for(now: datetime) -> None:
    put(now, ret="FULL", body=b"Subject: s\r\n\r\nthe body\r\n")
    put(now, ret="HDRS", body=b"Subject: s\r\n\r\nthe body\r\n")
    put(now, ret="FULL", chunks=[b"Subject: s\r\n\r\nthe body\r\n" + b"x" * 200_000])
    deliver(now, "failed")
    assert [b"the body" in octets for _, octets in notices()] == [True, False, False]
    assert all(b"Subject: s\r\n" in octets for _, octets in notices())


def test_without_a_notice_the_states_are_recorded_all_the_same(now: datetime) -> None:
    number = put(now)
    (message,) = claim(now)
    result = Result(message.recipients[0].id, a_verdict("failed"), now)
    services.record([result], owner=OWNER, now=now, rules=RULES, random=chance(), tell=False)
    assert states(number) == [State.FAILED]
    assert notices() == []


def test_nothing_is_recorded_for_a_recipient_that_is_gone(now: datetime) -> None:
    assert services.record([Result(4_242, a_verdict("delivered"), now)], owner=OWNER, now=now, rules=RULES) == 0
    assert not Attempt.objects.exists()
