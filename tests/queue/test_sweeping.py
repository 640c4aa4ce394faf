"""What is old goes; what is open stays, however old."""

from __future__ import annotations

from datetime import timedelta

import pytest

from mailadmin.bodies import services as bodies
from mailadmin.bodies.models import BodyChunk, SealedBody
from mailadmin.queue import services
from mailadmin.queue.models import Attempt, Message, MessageBody, Recipient
from mailadmin.queue.services import Selection
from mailadmin.queue.sweeping import AT_ONCE
from mailadmin.server.models import Server
from tests.ground.clock import Clock
from tests.queue.mail import a_message, deliver, put

pytestmark = [pytest.mark.django_db(transaction=True, databases="__all__"), pytest.mark.usefixtures("server")]


def test_finished_mail_leaves_the_history_after_its_days(clock: Clock) -> None:
    Server.objects.update(history_days=90)
    put(clock.now)
    deliver(clock.now)
    clock.advance(timedelta(days=90, seconds=-2))
    assert services.sweep(clock.now).messages == 0
    assert services.sweep(clock.advance(2)).messages == 1
    assert not any(model.objects.exists() for model in (Message, MessageBody, Recipient, Attempt))


def test_held_mail_stays_however_old(clock: Clock) -> None:
    message = put(clock.now)
    services.hold(Selection(messages=[message]), actor="test", now=clock.now)
    assert services.sweep(clock.advance(timedelta(days=900))).messages == 0
    assert b"".join(bodies.read(message))


def test_a_long_history_goes_in_steps(clock: Clock) -> None:
    services.enqueue([a_message(clock.now) for _ in range(AT_ONCE + 3)], now=clock.now)
    services.cancel(Selection(everything=True), actor="test", now=clock.now)
    assert services.sweep(clock.advance(timedelta(days=91))).messages == AT_ONCE + 3


def test_a_broken_upload_goes_after_a_day(clock: Clock) -> None:
    bodies.put_chunk(1, 0, b"half a message", clock.now)
    assert services.sweep(clock.advance(timedelta(hours=23))).bodies == 0
    assert services.sweep(clock.advance(timedelta(hours=2))).bodies == 1
    assert not BodyChunk.objects.exists()


def test_what_a_crash_left_of_a_delivered_message_goes(clock: Clock) -> None:
    message = put(clock.now, chunks=[b"a", b"b"])
    Message.objects.filter(pk=message).update(open_recipients=0)
    assert services.sweep(clock.advance(timedelta(days=2))).bodies == 1
    assert not BodyChunk.objects.exists()
    assert not SealedBody.objects.exists()


def test_the_body_of_a_waiting_message_stays(clock: Clock) -> None:
    message = put(clock.now, chunks=[b"a", b"b"])
    assert services.sweep(clock.advance(timedelta(days=400))).bodies == 0
    assert b"".join(bodies.read(message)) == b"ab"
