"""Servers that refuse, hang, drip, talk nonsense or vanish: a verdict in words, soon, and never two messages."""

from __future__ import annotations

import time

import pytest

from tests.delivery.material import SHORT, TEXT, agent, body, message, one, recipients, send, smarthost
from tests.delivery.scripted import DROP, HANG, Manners, Peer, Script, server


@pytest.mark.parametrize(
    ("manners", "stage", "words"),
    [
        (Manners(banner=HANG), "connect", "for its greeting for more than"),
        (Manners(banner=DROP), "connect", "hung up instead of giving its greeting"),
        (Manners(banner=b"HTTP/1.1 400 Bad Request\r\n\r\n"), "connect", "does not speak SMTP; it said: 'HTTP/1.1 400"),
        (Manners(banner=b"SSH-2.0-OpenSSH_9.2\r\n"), "connect", "does not speak SMTP"),
        (Manners(banner=b"220-" + b"x" * 6000), "connect", "longer than 4096 octets"),
        (Manners(banner=b"220-more\r\n" * 200), "connect", "more than 100 lines"),
        (Manners(banner=b"554 5.7.1 go away\r\n"), "connect", "go away"),
        (Manners(replies={"EHLO": HANG}), "connect", "for its answer to EHLO"),
        (Manners(replies={"EHLO": DROP}), "connect", "instead of giving its answer to EHLO"),
        (Manners(replies={"MAIL": HANG}), "mail", "for its answer to MAIL"),
        (Manners(replies={"RCPT": HANG}), "rcpt", "for its answer to RCPT"),
        (Manners(replies={"DATA": DROP}), "data", "instead of giving its answer to DATA"),
        (Manners(replies={"DATA": b"nonsense\r\n"}), "data", "cannot be understood"),
    ],
)
def test_trouble_is_told_in_words_and_defers(manners: Manners, stage: str, words: str) -> None:
    started = time.monotonic()
    with server(manners) as far:
        verdict = one(send(agent(smarthost(far.port), timeouts=SHORT)))
    assert time.monotonic() - started < 3
    assert (verdict.outcome, verdict.stage) == ("deferred", stage)
    assert verdict.enhanced.startswith("4.")
    assert words in verdict.reply
    assert verdict.peer == f"localhost[127.0.0.1]:{far.port}"


def test_a_refused_connection_is_told_in_words() -> None:
    with server() as far:
        pass
    verdict = one(send(agent(smarthost(far.port))))
    assert (verdict.outcome, verdict.stage, verdict.enhanced) == ("deferred", "connect", "4.4.1")
    assert "nothing listens there" in verdict.reply


@pytest.mark.parametrize("final", [DROP, HANG, b"garbage\r\n"])
def test_silence_after_the_final_dot_defers_and_speaks_of_a_duplicate(final: bytes) -> None:
    with server(Manners(final=final)) as far:
        verdict = one(send(agent(smarthost(far.port), timeouts=SHORT)))
    assert (verdict.outcome, verdict.stage) == ("deferred", "data")
    assert "delivers it twice" in verdict.reply
    assert len(far.talks) == 1
    assert len(far.talks[0].bodies) == 1


def test_a_drop_after_the_final_dot_is_not_tried_elsewhere_in_the_same_try() -> None:
    with server(Manners(final=DROP)) as first, server() as second:
        assert one(send(agent(smarthost(first.port), smarthost(second.port)))).outcome == "deferred"
    assert not second.talks


def test_a_refusal_in_the_middle_of_a_large_message_is_heard() -> None:
    def script(peer: Peer) -> None:
        peer.say(b"220 mx\r\n")
        peer.line()
        peer.say(b"250 mx\r\n")
        for reply in (b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n"):
            peer.line()
            peer.say(reply)
        peer.sock.recv(65536)
        peer.say(b"552 5.3.4 that is too much\r\n")
        time.sleep(0.2)

    chunk = b"x" * 70 + b"\r\n"
    with server(script=script) as far:
        verdict = one(send(agent(smarthost(far.port)), message(), body(*[chunk * 3000] * 100)))
    assert (verdict.outcome, verdict.stage, verdict.code, verdict.reply) == ("failed", "data", 552, "that is too much")
    assert not far.talks[0].bodies


@pytest.mark.parametrize("early", [b"250 2.0.0 thanks\r\n", b"354 more\r\n"])
def test_yes_in_the_middle_of_a_message_is_not_believed(early: bytes) -> None:
    chunk = b"x" * 70 + b"\r\n"
    with server(Manners(early=(1000, early))) as far:
        verdict = one(send(agent(smarthost(far.port)), message(), body(*[chunk * 3000] * 20)))
    assert verdict.outcome == "deferred"
    assert not far.talks[0].bodies


def test_a_server_that_reads_nothing_is_given_up() -> None:
    def script(peer: Peer) -> None:
        peer.say(b"220 mx\r\n")
        peer.line()
        peer.say(b"250 mx\r\n")
        for reply in (b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n"):
            peer.line()
            peer.say(reply)
        time.sleep(3)

    with server(script=script) as far:
        verdict = one(
            send(agent(smarthost(far.port), timeouts=SHORT), message(), body(*[b"x" * 250_000 + b"\r\n"] * 80))
        )
    assert (verdict.outcome, verdict.stage) == ("deferred", "data")
    assert "took nothing more" in verdict.reply


def test_a_slow_server_is_waited_for() -> None:
    with server(Manners(slowly=0.002)) as far:
        verdicts = send(agent(smarthost(far.port)), message(recipients(3)))
    assert {verdict.outcome for verdict in verdicts.values()} == {"delivered"}
    assert len(far.talks) == 1


def test_a_flood_of_replies_does_not_fill_the_memory() -> None:
    sent = 0

    def flood(peer: Peer) -> None:
        nonlocal sent
        peer.say(b"220 mx\r\n")
        peer.line()
        peer.sock.settimeout(0.3)
        block = b"250-flood\r\n250 mx\r\n" * 1000
        while sent < 50_000_000:
            sent += peer.sock.send(block)

    script: Script = flood
    with server(script=script) as far:
        verdict = one(send(agent(smarthost(far.port), timeouts=SHORT), message(), body(TEXT)))
    # Whatever it made of that: the socket was not read to the end.
    assert verdict.outcome in {"deferred", "delivered"}
    assert sent < 20_000_000


def test_odd_octets_in_a_reply_are_made_visible() -> None:
    with server(Manners(final="550 5.7.1 \x1b[31mred \u202ereversed\r\n".encode())) as far:
        verdict = one(send(agent(smarthost(far.port))))
    assert verdict.reply.isprintable()


def test_no_trick_in_the_queue_makes_two_messages() -> None:
    trick = b"Subject: a\r\n\r\nx\n.\r\nMAIL FROM:<evil@example.net>\r\nRCPT TO:<v@example.net>\r\nDATA\r\nboo\r\n.\r\n"
    with server() as far:
        assert one(send(agent(smarthost(far.port)), message(), body(trick))).outcome == "delivered"
    (talk,) = far.talks
    assert len(talk.bodies) == 1
    assert len(talk.said("MAIL")) == 1
