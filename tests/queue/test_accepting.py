"""What is accepted is stored whole, in one transaction, or not at all."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.db import IntegrityError, connection, transaction

from mailadmin.accounts.models import Account
from mailadmin.bodies import services as bodies
from mailadmin.queue import services
from mailadmin.queue.envelopes import NewRecipient, first_id, new_id, parse_queue_id, queue_id
from mailadmin.queue.models import Message, MessageBody, Recipient, State
from tests.cast import BECKY
from tests.queue.mail import BODY, FRIEND, a_message, put

pytestmark = pytest.mark.django_db(databases="__all__")


def test_every_fact_of_a_message_is_stored(now: datetime) -> None:
    account = Account.objects.create(address=BECKY.address, created_at=now, password_changed_at=now)
    message = a_message(
        now,
        NewRecipient("フレンド@example.net", "example.net", "SUCCESS,FAILURE", "utf-8;フレンド@example.net"),
        "second@example.com",
        account=account.pk,
        envid="abc",
        ret="HDRS",
        smtputf8=True,
    )
    message.eight_bit, message.helo, message.client = True, "becky", "192.0.2.7"
    message.mechanism, message.tls = "PLAIN", "TLSv1.3 TLS_AES_256_GCM_SHA384"
    services.enqueue([message], now=now)

    row = Message.objects.get()
    assert (row.pk, row.account, row.sender, row.message_id) == (
        message.id,
        account,
        BECKY.address,
        "<one@example.org>",
    )
    assert (row.size, row.accepted_at, row.smtputf8, row.eight_bit) == (len(BODY), now, True, True)
    assert (row.envid, row.ret, row.listener, row.client) == ("abc", "HDRS", "submission", "192.0.2.7")
    assert (row.helo, row.mechanism, row.tls) == ("becky", "PLAIN", "TLSv1.3 TLS_AES_256_GCM_SHA384")
    assert (row.chunked, row.open_recipients) == (False, 2)
    first, second = row.recipients.order_by("pk")
    assert (first.address, first.domain, first.notify) == ("フレンド@example.net", "example.net", "SUCCESS,FAILURE")
    assert first.orcpt == "utf-8;フレンド@example.net"
    assert (second.address, second.state, second.next_attempt_at) == ("second@example.com", State.WAITING, now)
    assert (second.attempts, second.delay_notified, second.lease_owner, second.finished_at) == (0, False, "", None)


def test_a_body_of_any_octets_comes_back_as_it_was(now: datetime) -> None:
    octets = bytes(range(256)) * 3
    number = put(now, body=octets)
    assert b"".join(bodies.read(number)) == octets


def test_an_empty_body_is_a_body(now: datetime) -> None:
    assert b"".join(bodies.read(put(now, body=b""))) == b""


def test_a_group_is_stored_together(now: datetime) -> None:
    services.enqueue([a_message(now) for _ in range(64)], now=now)
    assert Message.objects.count() == MessageBody.objects.count() == Recipient.objects.count() == 64


@pytest.mark.django_db(transaction=True, databases="__all__")
def test_a_taken_id_refuses_the_whole_group(now: datetime) -> None:
    taken = put(now)
    again = a_message(now)
    again.id = taken
    with pytest.raises(IntegrityError):
        services.enqueue([a_message(now), again], now=now)
    assert list(Message.objects.values_list("pk", flat=True)) == [taken]


def test_an_account_that_was_removed_meanwhile_leaves_its_mail_without_one(now: datetime) -> None:
    number = put(now, account=424_242)
    assert Message.objects.get(pk=number).account is None


def test_what_the_client_chose_freely_is_cut_to_the_column(now: datetime) -> None:
    message = a_message(now, message_id=f"<{'x' * 900}@example.org>")
    message.helo = "h" * 900
    services.enqueue([message], now=now)
    row = Message.objects.get()
    assert (len(row.message_id), len(row.helo)) == (255, 255)


@pytest.mark.django_db(transaction=True, databases="__all__")
def test_a_250_is_never_left_to_an_outer_transaction(now: datetime) -> None:
    with pytest.raises(RuntimeError), transaction.atomic():
        services.enqueue([a_message(now)], now=now)


def test_nothing_at_all_is_accepted_without_a_statement(now: datetime) -> None:
    with connection.execute_wrapper(_forbidden):
        services.enqueue([], now=now)


def _forbidden(*_arguments: object) -> None:
    raise AssertionError("a statement was made")


@pytest.mark.django_db(transaction=True, databases="__all__")
@pytest.mark.postgresql_only
def test_the_runners_are_told_once_a_group(now: datetime) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"LISTEN {services.CHANNEL}")
    services.enqueue([a_message(now), a_message(now)], now=now)
    assert connection.connection is not None
    heard = list(connection.connection.notifies(timeout=0.2))
    assert [note.channel for note in heard] == [services.CHANNEL]


def test_ids_ascend_even_when_the_clock_stands_or_goes_back() -> None:
    first = new_id(1_800_000_000.0, 0)
    second = new_id(1_800_000_000.0, first)
    third = new_id(1_799_999_999.0, second)
    assert first < second < third < 2**63


def test_a_queue_id_says_the_number_back_in_any_case() -> None:
    number = new_id(1_800_000_000.0, 0)
    assert parse_queue_id(queue_id(number)) == number == parse_queue_id(f" {queue_id(number).upper()} ")
    assert [parse_queue_id(text) for text in ("", "short", "i" * 13, "0" * 14)] == [None] * 4


def test_the_first_id_of_a_moment_is_below_those_made_then_and_above_earlier_ones(now: datetime) -> None:
    moment = now.timestamp()
    assert new_id(moment - 1, 0) < first_id(moment) <= new_id(moment, 0)
    assert put(now, FRIEND) < first_id((now + timedelta(seconds=1)).timestamp())
