"""No sequence but CRLF . CRLF ends a message, and no message with a bare CR or LF gets in at all."""

from __future__ import annotations

import pytest

from tests import cast
from tests.ground.daemon import Product
from tests.sessions.wire import Wire

HEADER = f"From: {cast.BECKY.address}\r\nSubject: two in one\r\n\r\n".encode()
SECOND = (
    f"MAIL FROM:<{cast.BECKY.address}>\r\nRCPT TO:<{cast.OUTLOOK.address}>\r\nDATA\r\n".encode()
    + HEADER
    + b"smuggled\r\n.\r\n"
)
ENDS = {
    "lf-dot-lf": b"\n.\n",
    "lf-dot-crlf": b"\n.\r\n",
    "cr-dot-cr": b"\r.\r",
    "cr-dot-crlf": b"\r.\r\n",
    "crlf-dot-lf": b"\r\n.\n",
    "crlf-dot-cr": b"\r\n.\r",
    "cr-crlf-dot-cr-crlf": b"\r\r\n.\r\r\n",
    "lf-dot-cr": b"\n.\r",
    "nul-before-the-dot": b"\r\n\0.\r\n",
    "nul-behind-the-dot": b"\r\n.\0\r\n",
    "next-line": b"\x85.\x85",
    "line-separator": "\u2028.\u2028".encode(),
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS.keys())
def test_a_false_end_never_makes_two_messages_of_one(standing: Product, end: bytes) -> None:
    wire = Wire.signed_in(standing)
    wire.begin_message()
    before = queued(standing)
    wire.send(HEADER + b"first" + end + SECOND)
    # Whatever became of it, this one reply answers all that was sent: the next is NOOP's.
    said = wire.reply()
    bare = end.replace(b"\r\n", b"").translate(None, b"\0.") in {b"\n", b"\n\n", b"\r", b"\r\r", b"\n\r"}
    assert said.startswith("550 5.6.0" if bare else "250 2.0.0"), said
    assert wire.ask("NOOP").startswith("250 2.0.0 Nothing done")
    assert queued(standing) - before == (0 if bare else 1)


def test_a_false_end_split_over_every_boundary_is_none(standing: Product) -> None:
    wire = Wire.signed_in(standing)
    octets = HEADER + b"first\n.\r\nMAIL FROM:<x@example.org>\r\n.\r\n"
    start = octets.index(b"\n.\r\n") - 2
    for cut in range(start, start + 6):
        wire.begin_message()
        wire.send(octets[:cut])
        wire.send(octets[cut:])
        assert wire.reply().startswith("550 5.6.0")
    wire.close()


def test_the_true_end_split_over_every_boundary_is_one(standing: Product) -> None:
    wire = Wire.signed_in(standing)
    octets = HEADER + b"..dot\r\n.\r\n"
    for cut in range(len(octets) - 8, len(octets)):
        wire.begin_message()
        wire.send(octets[:cut])
        wire.send(octets[cut:])
        assert wire.reply().startswith("250 2.0.0")
    wire.close()


def test_a_chunk_with_a_bare_line_feed_is_refused(standing: Product) -> None:
    wire = Wire.signed_in(standing)
    assert wire.ask(f"MAIL FROM:<{cast.BECKY.address}>").startswith("250")
    assert wire.ask(f"RCPT TO:<{cast.OUTLOOK.address}>").startswith("250")
    octets = HEADER + b"first\n.\r\n"
    wire.send(f"BDAT {len(octets)} LAST\r\n".encode() + octets)
    assert wire.reply().startswith("550 5.6.0")


def test_a_message_sent_before_354_ends_the_connection(standing: Product) -> None:
    wire = Wire.signed_in(standing)
    assert wire.ask(f"MAIL FROM:<{cast.BECKY.address}>").startswith("250")
    assert wire.ask(f"RCPT TO:<{cast.OUTLOOK.address}>").startswith("250")
    before = queued(standing)
    wire.send(b"DATA\r\n" + HEADER + b"\r\n.\r\n")
    assert wire.reply().startswith("554 5.5.0")
    assert wire.reply() == ""
    assert queued(standing) == before


def queued(product: Product) -> int:
    """Return how many messages are in the queue."""
    return int(product.database.rows("SELECT count(*) AS n FROM queue_message")[0]["n"])
