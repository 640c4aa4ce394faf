"""The runner at work: real database, real connections."""

from __future__ import annotations

import os
import time
from datetime import timedelta

import pytest
from django.db import transaction

from mailadmin.accounts.models import Account
from mailadmin.bodies.models import BodyChunk
from mailadmin.queue import services
from mailadmin.queue.envelopes import CHUNK
from mailadmin.queue.models import Attempt, MessageBody, Recipient, State
from mailadmin.queue.services import Selection
from mailadmin.routing import services as routing
from mailadmin.routing.models import RouteTest
from smtpd.storage.queue import mailboxes
from tests.cast import BECKY, OUTLOOK
from tests.ground.ports import free_port
from tests.ground.smarthost import Fault, Smarthost
from tests.queue.mail import BODY, LEASE, notices, put, states
from tests.runner.conftest import Route
from tests.runner.running import Running, now, wait_until

pytestmark = [pytest.mark.django_db(transaction=True, databases="__all__"), pytest.mark.usefixtures("site")]


def _account(address: str) -> Account:
    return Account.objects.create(address=address, created_at=now(), password_changed_at=now())


def _all(state: State) -> bool:
    return not Recipient.objects.exclude(state=state).exists()


def test_accepted_mail_is_on_its_way_at_once(far_side: Smarthost, route: Route) -> None:
    route(far_side)
    with Running():
        put(now())
        far_side.wait_for(1)
        times = []
        for number in range(5):
            begun = time.monotonic()
            put(now())
            far_side.wait_for(number + 2)
            times.append(time.monotonic() - begun)
        wait_until(lambda: _all(State.DELIVERED), "all is recorded")
    # Half of them: another test may have the processor for a moment.
    assert sorted(times)[2] < 0.3, times
    assert far_side.messages[0].data == BODY
    assert far_side.messages[0].sender == BECKY.address
    attempt = Attempt.objects.earliest("pk")
    assert (attempt.outcome, attempt.code, attempt.peer) == ("delivered", 250, f"127.0.0.1[127.0.0.1]:{far_side.port}")


def test_a_large_body_arrives_octet_for_octet_and_its_chunks_go(far_side: Smarthost, route: Route) -> None:
    route(far_side)
    chunks = [b"Subject: large\r\n\r\n", *(os.urandom(CHUNK // 4).hex().encode() + b"\r\n" for _ in range(6))]
    put(now(), chunks=chunks)
    with Running():
        (stored,) = far_side.wait_for(1)
        wait_until(lambda: not BodyChunk.objects.exists(), "the chunks go")
    assert stored.data == b"".join(chunks)


def test_recipients_that_go_the_same_way_travel_together(far_side: Smarthost, route: Route) -> None:
    route(far_side)
    put(now(), "a@one.example", "b@two.example", "c@three.example")
    with Running():
        (stored,) = far_side.wait_for(1)
        wait_until(lambda: _all(State.DELIVERED), "all is recorded")
    assert sorted(stored.recipients) == ["a@one.example", "b@two.example", "c@three.example"]


def test_each_domain_goes_its_own_way(far_side: Smarthost, route: Route) -> None:
    with Smarthost(tls="none") as other:
        route(far_side)
        route(other, pattern="special.example")
        routing.add_domain(actor="test", now=now(), name="example.org")
        _account(OUTLOOK.address)
        put(now(), "a@one.example", "b@special.example", OUTLOOK.address)
        with Running():
            assert far_side.wait_for(1)[0].recipients == ("a@one.example",)
            assert other.wait_for(1)[0].recipients == ("b@special.example",)
            wait_until(lambda: _all(State.DELIVERED), "all is recorded")
    (file,) = (mailboxes() / "example.org" / "olga" / "new").iterdir()
    assert file.read_bytes().endswith(BODY)
    file.unlink()


def test_where_there_is_no_way_out_mail_goes_back() -> None:
    number = put(now())
    with Running():
        wait_until(lambda: states(number) == [State.FAILED], "it failed")
    assert len(notices()) == 1
    assert Attempt.objects.get(recipient__message=number).enhanced == "5.4.4"


def test_a_refusal_goes_back_to_the_senders_mailbox(route: Route) -> None:
    with Smarthost(Fault("rcpt", "refuse", "550 5.1.1 no such user"), tls="none") as server:
        route(server)
        routing.add_domain(actor="test", now=now(), name="example.org")
        _account(BECKY.address)
        number = put(now())
        folder = mailboxes() / "example.org" / "ichiro" / "new"
        with Running():
            wait_until(lambda: folder.is_dir() and list(folder.iterdir()), "the notice is in the mailbox")
            wait_until(lambda: notices() and notices()[0][0].open_recipients == 0, "and recorded")
    (file,) = folder.iterdir()
    octets = file.read_bytes()
    file.unlink()
    assert states(number) == [State.FAILED]
    assert b"Diagnostic-Code: smtp; 550 5.1.1 no such user" in octets


def test_what_is_deferred_is_tried_again_when_it_is_due(route: Route) -> None:
    with Smarthost(Fault("rcpt", "refuse", "451 4.7.1 greylisted", times=1), tls="none") as server:
        route(server)
        number = put(now())
        with Running():
            wait_until(lambda: Attempt.objects.count() == 1 and states(number) == [State.WAITING], "it is deferred")
            due = Recipient.objects.get().next_attempt_at - now()
            assert timedelta(minutes=4) < due < timedelta(minutes=6)
            assert not server.messages
            services.retry(Selection(messages=[number]), actor="test", now=now())
            server.wait_for(1)
            wait_until(lambda: states(number) == [State.DELIVERED], "it is delivered")


def test_the_next_smarthost_takes_what_the_first_cannot(far_side: Smarthost, route: Route) -> None:
    dead = Smarthost(tls="none", port=free_port())
    route(dead, far_side)
    put(now())
    with Running():
        far_side.wait_for(1)
        wait_until(lambda: _all(State.DELIVERED), "it is recorded")


def test_a_pause_stops_deliveries_and_not_the_mail(far_side: Smarthost, route: Route) -> None:
    route(far_side)
    services.pause(actor="test", now=now())
    number = put(now())
    with Running() as runner:
        time.sleep(0.5)
        assert states(number) == [State.WAITING]
        services.resume(actor="test", now=now())
        runner.adopt()
        far_side.wait_for(1)


def test_a_pause_gives_back_what_has_no_place_yet(route: Route) -> None:
    with Smarthost(Fault("helo", "hang"), tls="none") as hanging:
        route(hanging)
        numbers = [put(now()) for _ in range(12)]
        with Running() as runner:
            wait_until(lambda: hanging.ledger.connections == 5, "five deliveries have begun")
            services.pause(actor="test", now=now())
            runner.adopt()
            wait_until(lambda: [states(number) for number in numbers].count([State.WAITING]) == 7, "seven wait")


def test_a_new_route_holds_for_the_next_delivery(far_side: Smarthost, route: Route) -> None:
    with Smarthost(tls="none") as other:
        route(far_side)
        with Running() as runner:
            put(now())
            far_side.wait_for(1)
            route(other)
            runner.adopt()
            put(now())
            other.wait_for(1)
    assert len(far_side.messages) == 1


def test_mail_for_mailboxes_on_another_node_is_left_to_that_node() -> None:
    routing.add_domain(actor="test", now=now(), name="example.org", node="there")
    _account(OUTLOOK.address)
    number = put(now(), OUTLOOK.address)
    with Running("here"):
        time.sleep(0.5)
        assert states(number) == [State.WAITING]
    with Running("there"):
        wait_until(lambda: states(number) == [State.DELIVERED], "the other node delivers it")
    for file in (mailboxes() / "example.org" / "olga" / "new").iterdir():
        file.unlink()


def test_mail_of_a_suspended_account_is_held_and_resumes_with_it(far_side: Smarthost, route: Route) -> None:
    route(far_side)
    account = _account(BECKY.address)
    Account.objects.update(suspended_at=now())
    number = put(now(), account=account.pk)
    with Running():
        wait_until(lambda: states(number) == [State.HELD], "it is held")
        with transaction.atomic():
            Account.objects.update(suspended_at=None)
            services.release_account(account.pk, now=now())
        far_side.wait_for(1)


def test_what_a_killed_runner_of_this_node_had_claimed_is_delivered_at_once(far_side: Smarthost, route: Route) -> None:
    route(far_side)
    put(now())
    services.claim(owner="here:999999999", now=now(), lease=LEASE, limit=9)
    put(now())
    services.claim(owner="there:999999999", now=now(), lease=LEASE, limit=9)
    with Running("here"):
        far_side.wait_for(1)
        wait_until(lambda: Recipient.objects.filter(state=State.DELIVERED).count() == 1, "it is recorded")
    assert Recipient.objects.get(state=State.DELIVERING).lease_owner == "there:999999999"


def test_at_the_end_what_is_under_way_is_finished_and_recorded(route: Route) -> None:
    with Smarthost(tls="none") as server:
        route(server)
        for _ in range(30):
            put(now())
        with Running():
            server.wait_for(1)
        assert not Recipient.objects.filter(state=State.DELIVERING).exists()
        delivered = Recipient.objects.filter(state=State.DELIVERED).count()
        assert len(server.messages) == delivered


def test_at_the_end_what_hangs_goes_back_to_waiting(route: Route) -> None:
    with Smarthost(Fault("data", "hang"), tls="none") as server:
        route(server)
        number = put(now())
        with Running():
            wait_until(lambda: "DATA" in " ".join(server.ledger.commands), "it hangs")
        assert states(number) == [State.WAITING]
        assert MessageBody.objects.exists()


def test_a_hanging_server_keeps_only_its_own_mail(far_side: Smarthost, route: Route) -> None:
    with Smarthost(Fault("helo", "hang"), tls="none") as hanging:
        route(hanging)
        route(far_side, pattern="special.example")
        for _ in range(30):
            put(now(), "a@one.example")
        last = put(now(), "b@special.example")
        with Running():
            far_side.wait_for(1)
            wait_until(lambda: states(last) == [State.DELIVERED], "it is recorded")
            # Little more than has a place is claimed; the rest is free for people and for other runners.
            assert services.cancel(Selection(domain="one.example"), actor="test", now=now()) >= 10


def test_a_test_of_a_way_out_is_answered_with_its_steps(far_side: Smarthost) -> None:
    target = {"via": "smarthost", "host": "127.0.0.1", "port": far_side.port, "tls": "none"}
    with Running():
        test = routing.ask_test(now=now(), target=target)
        wait_until(lambda: RouteTest.objects.get(pk=test.pk).finished_at, "it is answered")
    answer = RouteTest.objects.get(pk=test.pk)
    assert answer.ok is True
    assert "connect" in [step["step"] for step in answer.steps]
