"""Delivery through smarthosts, over real sockets."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from mailadmin.queue.envelopes import Verdict
from mailadmin.sealing import Sealer, new_key
from smtpd.delivery.smtp import PURPOSE, SmtpAgent
from tests.cast import BECKY
from tests.delivery.material import (
    SHORT,
    TEXT,
    USUAL,
    agent,
    body,
    deliver,
    message,
    one,
    recipients,
    run,
    send,
    smarthost,
    with_limits,
)
from tests.delivery.scripted import DROP, HANG, Manners, Peer, server


def stuffed(text: bytes) -> bytes:
    return text.replace(b"\r\n.", b"\r\n..") + b".\r\n"


def test_a_message_arrives_octet_for_octet(on_asyncio: bool) -> None:
    with server() as far:
        verdict = one(send(agent(smarthost(far.port)), on_asyncio=on_asyncio))
    assert verdict == Verdict(
        "delivered", "data", 250, "2.0.0", "queued as 1", f"localhost[127.0.0.1]:{far.port}", "", dsn=True
    )
    (talk,) = far.talks
    assert talk.bodies == [stuffed(TEXT)]
    assert talk.commands[0] == "EHLO mail.example.org"


def test_a_large_message_is_streamed_whole(on_asyncio: bool) -> None:
    line = b".dots and more, 0123456789 0123456789 0123456789 0123456789\r\n"
    chunk = line * 4000
    held = 0

    async def chunks() -> AsyncIterator[bytes]:
        nonlocal held
        for _ in range(40):
            held += 1
            yield chunk

    with server(Manners(offers=("PIPELINING",))) as far:
        letter = message(size=len(chunk) * 40)
        verdict = one(send(agent(smarthost(far.port)), letter, chunks, on_asyncio=on_asyncio))
    assert verdict.outcome == "delivered"
    assert far.talks[0].bodies == [b"." + (chunk * 40).replace(b"\r\n.", b"\r\n..") + b".\r\n"]


def test_the_whole_envelope_is_there_before_the_server_says_a_word() -> None:
    read_at_once: list[str] = []

    def script(peer: Peer) -> None:
        peer.say(b"220 mx\r\n")
        peer.line()
        peer.say(b"250-mx\r\n250 PIPELINING\r\n")
        read_at_once.extend(peer.line() for _ in range(4))  # would hang for want of a reply
        peer.say(b"250 ok\r\n250 ok\r\n550 5.1.1 nobody\r\n354 go\r\n")
        peer.body()
        peer.say(b"250 2.0.0 ok\r\n")
        peer.line()

    with server(script=script) as far:
        verdicts = send(agent(smarthost(far.port)), message(recipients(2)))
    assert [verdicts[number].outcome for number in (1, 2)] == ["delivered", "failed"]
    assert [line.partition(" ")[0] for line in read_at_once] == ["MAIL", "RCPT", "RCPT", "DATA"]


def test_without_8bitmime_an_8_bit_message_is_sent_as_it_is() -> None:
    text = "Subject: t\r\n\r\n四時に\r\n".encode("iso-2022-jp") + "é\r\n".encode("latin-1")
    with server(Manners(offers=())) as far:
        verdict = one(send(agent(smarthost(far.port)), message(eight_bit=True), body(text)))
    assert verdict.outcome == "delivered"
    assert far.talks[0].bodies == [text + b".\r\n"]


@pytest.mark.parametrize(("text", "outcome"), [(TEXT, "delivered"), ("Subject: お茶\r\n\r\nx\r\n".encode(), "failed")])
def test_smtputf8_that_nothing_needs_is_left_out_for_a_server_without_it(text: bytes, outcome: str) -> None:
    with server(Manners(offers=())) as far:
        assert one(send(agent(smarthost(far.port)), message(smtputf8=True), body(text))).outcome == outcome


def test_recipients_beyond_the_servers_limit_go_in_further_transactions() -> None:
    with server(Manners(offers=("PIPELINING", "LIMITS RCPTMAX=2"))) as far:
        verdicts = send(agent(smarthost(far.port)), message(recipients(5)))
    assert {verdict.outcome for verdict in verdicts.values()} == {"delivered"}
    (talk,) = far.talks
    assert len(talk.bodies) == 3
    assert len(talk.said("RCPT")) == 5


# Several smarthosts.


def test_the_next_smarthost_is_tried_when_one_cannot_be_reached() -> None:
    with server() as gone:
        pass
    with server() as far:
        verdict = one(send(agent(smarthost(gone.port), smarthost(far.port))))
    assert verdict.outcome == "delivered"


@pytest.mark.parametrize(
    "manners",
    [
        Manners(banner=b"421 4.3.2 busy\r\n"),
        Manners(banner=b"554 5.7.1 not you\r\n"),
        Manners(replies={"MAIL": b"421 4.3.2 busy\r\n"}),
        Manners(replies={"RCPT": DROP}),
        Manners(replies={"EHLO": b"451 4.3.0 later\r\n"}),
    ],
)
def test_the_next_smarthost_is_tried_when_one_has_no_time(manners: Manners) -> None:
    with server(manners) as busy, server() as far:
        verdict = one(send(agent(smarthost(busy.port), smarthost(far.port))))
    assert verdict.outcome == "delivered"
    assert busy.talks
    assert not busy.talks[0].bodies


def test_an_answer_about_the_message_is_not_asked_for_again_elsewhere() -> None:
    with server(Manners(final=b"451 4.7.1 later\r\n")) as first, server() as second:
        verdict = one(send(agent(smarthost(first.port), smarthost(second.port))))
    assert (verdict.outcome, verdict.enhanced) == ("deferred", "4.7.1")
    assert not second.talks


def test_recipients_that_were_decided_are_not_taken_to_the_next_smarthost() -> None:
    refusing = Manners(offers=(), replies={"RCPT TO:<R1": b"550 5.1.1 nobody\r\n", "RCPT TO:<R2": b"421 4.3.2 bye\r\n"})
    with server(refusing) as first, server() as second:
        verdicts = send(agent(smarthost(first.port), smarthost(second.port)), message(recipients(3)))
    assert [verdicts[number].outcome for number in (1, 2, 3)] == ["failed", "delivered", "delivered"]
    assert second.talks[0].said("RCPT") == ["RCPT TO:<r2@example.net>", "RCPT TO:<r3@example.net>"]


def test_the_words_of_the_last_smarthost_are_those_of_the_verdict() -> None:
    with server(Manners(banner=b"421 4.3.2 first\r\n")) as first, server(Manners(banner=b"554 5.3.2 last\r\n")) as last:
        verdict = one(send(agent(smarthost(first.port), smarthost(last.port))))
    assert verdict.outcome == "deferred"  # a household can repair its smarthost: nothing is returned for it
    assert (verdict.stage, verdict.code, verdict.enhanced, verdict.reply) == ("connect", 554, "4.3.2", "last")
    assert verdict.peer == f"localhost[127.0.0.1]:{last.port}"


def test_a_smarthost_by_an_unknown_name_defers_in_words() -> None:
    verdict = one(send(agent(smarthost(587, host="no-such-host.invalid"))))
    assert (verdict.outcome, verdict.stage, verdict.enhanced) == ("deferred", "resolve", "4.4.3")
    assert "no-such-host.invalid" in verdict.reply


def test_a_route_without_smarthosts_defers_in_words() -> None:
    verdict = one(send(agent()))
    assert (verdict.outcome, verdict.stage) == ("deferred", "route")


def test_a_password_that_does_not_open_defers_in_words(ca_pem: str) -> None:
    host = smarthost(587, tls="starttls", user=BECKY.address, password=BECKY.password, ca=ca_pem)
    strange = SmtpAgent.for_smarthosts([host], sealer=Sealer([new_key()]), hostname="mail.example.org")
    verdict = one(send(strange))
    assert (verdict.outcome, verdict.stage) == ("deferred", "auth")
    assert "enter it again" in verdict.reply
    assert PURPOSE not in verdict.reply


# Ends.


def test_a_cancelled_delivery_never_sends_the_final_dot() -> None:
    async def cancelled() -> None:
        reached = asyncio.Event()

        async def endless() -> AsyncIterator[bytes]:
            yield TEXT
            reached.set()
            await asyncio.sleep(60)

        task = asyncio.create_task(deliver(agent(smarthost(far.port)), content=endless))
        await reached.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with server() as far:
        run(cancelled())
        time.sleep(0.1)
    assert not far.talks[0].bodies


def test_a_store_that_fails_in_the_middle_leaves_the_message_unfinished() -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield TEXT
        raise RuntimeError("secret of the database")

    with server() as far:
        verdict = one(send(agent(smarthost(far.port)), content=broken))
        time.sleep(0.1)
    assert (verdict.outcome, verdict.enhanced) == ("deferred", "4.3.0")
    assert "secret" not in verdict.reply
    assert not far.talks[0].bodies


def test_the_whole_delivery_is_bounded_however_many_servers_hang() -> None:
    manners = Manners(banner=HANG)
    with server(manners) as first, server(manners) as second, server(manners) as third:
        hosts = [smarthost(far.port) for far in (first, second, third)]
        started = time.monotonic()
        verdict = one(send(agent(*hosts, timeouts=with_limits(banner=5, total=0.5))))
    assert time.monotonic() - started < 2
    assert verdict.outcome == "deferred"


def test_limits_scale() -> None:
    assert USUAL.scaled(0.5).final == 300
    assert SHORT.longest == 8.6
