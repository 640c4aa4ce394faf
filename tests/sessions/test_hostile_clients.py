"""What a client can do to hurt: sizes, times, counts, and hanging up at the wrong moment."""

from __future__ import annotations

import os
import signal
import socket
import time
from pathlib import Path

import pytest

from tests import cast
from tests.ground.daemon import Product, wait_until
from tests.sessions.test_smuggling import HEADER, queued
from tests.sessions.wire import Wire

MEGABYTE = 1_000_000


def memory(product: Product) -> int:
    """Return the resident octets of the worker."""
    (pid,) = product.pids("worker")
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def test_octets_before_the_greeting_are_refused(standing: Product) -> None:
    (worker,) = standing.pids("worker")
    os.kill(worker, signal.SIGSTOP)
    try:
        early = socket.create_connection(("127.0.0.1", standing.ports["submission"]), timeout=10)
        early.sendall(b"EHLO client.test\r\nMAIL FROM:<a@example.org>\r\n")
    finally:
        os.kill(worker, signal.SIGCONT)
    said = b""
    while octets := early.recv(4096):
        said += octets
    assert said.startswith(b"554 5.5.1")
    assert said.count(b"\r\n") == 1


def test_a_line_of_a_million_octets_is_refused_and_costs_no_memory(standing: Product) -> None:
    before = memory(standing)
    wire = Wire(standing, "submission")
    wire.reply()
    wire.send(b"EHLO " + b"x" * (MEGABYTE - 100) + b"\r\n")
    assert wire.reply().startswith("500 5.5.2")
    assert wire.ask("EHLO client.test").startswith("250")
    with pytest.raises(OSError, match=r"reset|Broken pipe"):
        wire.send(b"x" * 100 * MEGABYTE)
    assert memory(standing) - before < 8 * MEGABYTE


def test_a_sasl_line_beyond_12288_octets_is_refused(standing: Product) -> None:
    wire = Wire(standing, "submissions")
    wire.reply()
    wire.ask("EHLO client.test")
    assert wire.ask("AUTH LOGIN").startswith("334")
    assert wire.ask(b"A" * 12_288).startswith("334")
    assert wire.ask(b"*").startswith("501 5.7.0")
    assert wire.ask("AUTH LOGIN").startswith("334")
    assert wire.ask(b"A" * 12_300).startswith("500 5.5.6")
    assert wire.ask("NOOP").startswith("250")


def test_a_header_of_ten_megabytes_is_refused_in_words(standing: Product) -> None:
    wire = Wire.signed_in(standing)
    wire.begin_message()
    before = memory(standing)
    field = b"X-Long: " + b"y" * 900 + b"\r\n"
    wire.send(b"From: ichiro@example.org\r\n" + field * (10 * MEGABYTE // len(field)) + b"\r\nbody\r\n.\r\n")
    assert wire.reply().startswith("552 5.3.4 The header of the message is too large")
    assert wire.ask("NOOP").startswith("250")
    assert memory(standing) - before < 8 * MEGABYTE


def test_a_line_of_a_message_may_be_long_but_not_endless(standing: Product) -> None:
    wire = Wire.signed_in(standing)
    wire.begin_message()
    wire.send(HEADER + b"z" * 16_384 + b"\r\n.\r\n")
    assert wire.reply().startswith("250")
    wire.begin_message()
    wire.send(HEADER + b"z" * MEGABYTE + b"\r\n.\r\n")
    assert wire.reply().startswith("550 5.6.0 The message has a line that is too long")


def test_a_nul_in_the_header_is_refused_and_one_in_the_body_passes(standing: Product) -> None:
    wire = Wire.signed_in(standing)
    wire.begin_message()
    wire.send(b"From: ichiro@example.org\r\nSubject: a\0b\r\n\r\n.\r\n")
    assert wire.reply().startswith("550 5.6.0 The header of the message has a NUL")
    wire.begin_message()
    wire.send(HEADER + b"a\0b\r\n.\r\n")
    assert wire.reply().startswith("250")


def test_a_message_beyond_the_limit_is_refused_at_its_end_and_the_connection_lives(standing: Product) -> None:
    standing.database.rows("UPDATE server_server SET message_size_limit=%s", 300_000)
    standing.database.rows("UPDATE generation_generation SET number=number+1")
    wire = Wire.signed_in(standing)
    wait_until(lambda: "SIZE 300000" in wire.ask("EHLO client.test"), "the limit is in force")
    try:
        wire.begin_message()
        body = HEADER + (b"x" * 70 + b"\r\n") * 4000
        wire.send(body[:300_000].rpartition(b"\r\n")[0] + b"\r\n.\r\n")
        assert wire.reply().startswith("250")
        wire.begin_message()
        wire.send(body + body + b".\r\n")
        assert wire.reply().startswith("552 5.3.4 The message is larger than this server takes (300000 octets)")
        assert wire.ask("NOOP").startswith("250")
    finally:
        standing.database.rows("UPDATE server_server SET message_size_limit=%s", 50_000_000)
        standing.database.rows("UPDATE generation_generation SET number=number+1")


def test_hanging_up_right_after_the_final_dot_loses_nothing(standing: Product) -> None:
    for how in ("half-close", "close"):
        before = queued(standing)
        wire = Wire.signed_in(standing)
        wire.begin_message()
        wire.send(HEADER + b"x\r\n.\r\nQUIT\r\n")
        if how == "half-close":
            wire.socket.shutdown(socket.SHUT_WR)
        else:
            wire.close()
        wait_until(lambda before=before: queued(standing) == before + 1, f"the message is queued after {how}")  # type: ignore[misc]  # a default binds the loop's value


def test_a_half_closed_plain_connection_still_hears_the_answer(standing: Product) -> None:
    wire = Wire(standing, "mx")
    wire.reply()
    wire.ask("EHLO client.test")
    assert wire.ask("MAIL FROM:<a@example.net>").startswith("250")
    assert wire.ask(f"RCPT TO:<{cast.OUTLOOK.address}>").startswith("250")
    assert wire.ask("DATA").startswith("354")
    wire.send(b"Subject: last words\r\n\r\nx\r\n.\r\nQUIT\r\n")
    wire.socket.shutdown(socket.SHUT_WR)
    assert wire.reply().startswith("250 2.0.0 Queued as")
    assert wire.reply().startswith("221")


def test_a_message_cut_off_in_the_middle_leaves_nothing(standing: Product) -> None:
    before = queued(standing)
    chunks = "SELECT count(*) AS n FROM bodies_bodychunk"
    kept = standing.database.rows(chunks)[0]["n"] if standing.url else None
    wire = Wire.signed_in(standing)
    wire.begin_message()
    wire.send(HEADER + (b"x" * 70 + b"\r\n") * 20_000)
    wire.close()
    time.sleep(0.5)
    assert queued(standing) == before
    if kept is not None:
        wait_until(lambda: standing.database.rows(chunks)[0]["n"] == kept, "the chunks are dropped")


def test_one_address_has_so_many_connections_and_no_more(standing: Product) -> None:
    wires = [Wire(standing, "submission") for _ in range(51)]
    said = [wire.reply() for wire in wires]
    assert sum(reply.startswith("220") for reply in said) == 50
    assert sum(reply.startswith("421 4.7.0 Too many connections") for reply in said) == 1
    for wire in wires:
        wire.close()
    wait_until(lambda: Wire(standing, "submission").reply().startswith("220"), "there is room again")


def test_too_many_recipients_are_for_another_message(standing: Product) -> None:
    wire = Wire(standing, "mx")
    wire.reply()
    wire.ask("EHLO client.test")
    assert wire.ask("MAIL FROM:<a@example.net>").startswith("250")
    for number in range(100):
        assert wire.ask(f"RCPT TO:<olga+{number}@example.org>").startswith("250")
    assert wire.ask("RCPT TO:<olga@example.org>").startswith("452 4.5.3")


def test_noop_for_ever_is_not_for_ever(standing: Product) -> None:
    wire = Wire(standing, "submission")
    wire.reply()
    wire.send(b"NOOP\r\n" * 120)
    replies = [wire.reply() for _ in range(102)]
    assert replies[99].startswith("250")
    assert replies[100].startswith("421 4.7.0")
    assert replies[101] == ""


def test_a_message_that_passed_fifty_servers_goes_in_circles(standing: Product) -> None:
    wire = Wire(standing, "mx")
    wire.reply()
    wire.ask("EHLO client.test")
    assert wire.ask("MAIL FROM:<a@example.net>").startswith("250")
    assert wire.ask(f"RCPT TO:<{cast.OUTLOOK.address}>").startswith("250")
    assert wire.ask("DATA").startswith("354")
    wire.send(b"Received: from a by b; c\r\n" * 51 + b"\r\n.\r\n")
    assert wire.reply().startswith("554 5.4.6")


def test_a_pipelined_session_is_answered_in_order(standing: Product) -> None:
    wire = Wire(standing, "mx")
    wire.reply()
    wire.send(
        b"EHLO client.test\r\nMAIL FROM:<a@example.net>\r\nRCPT TO:<nobody@example.org>\r\n"
        b"RCPT TO:<olga@example.org>\r\nDATA\r\n"
    )
    codes = [wire.reply()[:3] for _ in range(5)]
    assert codes == ["250", "250", "550", "250", "354"]
    wire.send(b"Subject: x\r\n\r\n.\r\nRSET\r\nQUIT\r\n")
    assert [wire.reply()[:3] for _ in range(3)] == ["250", "250", "221"]
