"""What leaves after DATA is one message for every reader, however liberal, and the same one."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smtpd.smtp.dot_stuffing import DotStuffer

Reader = Callable[[bytes], list[bytes]]


def stuffed(*blocks: bytes) -> bytes:
    stuffer = DotStuffer()
    return b"".join([*(stuffer.feed(block) for block in blocks), stuffer.finish()])


def _reader(line_end: bytes, *, ignores: bytes = b"") -> Reader:
    """Make a server's reader of DATA: where a line ends by its opinion, and which octets it does not see.

    It returns all the messages it finds, unstuffed, lines joined by CRLF; what follows the last end counts as one, too.
    """

    def read(wire: bytes) -> list[bytes]:
        messages: list[bytes] = []
        lines: list[bytes] = []
        pieces = re.split(line_end, wire.translate(None, ignores))
        assert pieces.pop() == b""
        for line in pieces:
            if line == b".":
                messages.append(b"".join(line + b"\r\n" for line in lines))
                lines = []
            else:
                lines.append(line.removeprefix(b"."))
        return [*messages, b"".join(lines)] if lines else messages

    return read


READERS = {
    "strict": _reader(rb"\r\n"),
    "LF ends a line": _reader(rb"\r?\n"),
    "CR ends a line": _reader(rb"\r\n?"),
    "either ends a line": _reader(rb"\r\n|\r|\n"),
    "CRs are ignored": _reader(rb"\n", ignores=b"\r"),
    "NULs are ignored": _reader(rb"\r\n", ignores=b"\0"),
    "anything goes": _reader(rb"\r\n|\r|\n", ignores=b"\0"),
}
# Octets that matter, more often than chance would have them.
NASTY = st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b".", b"..", b"\0", b"a", b"\x85", b"MAIL FROM:<x@y>"])).map(
    b"".join
)
CLEAN = st.lists(st.sampled_from([b"\r\n", b".", b"..", b"a", b" ", "é".encode()])).map(b"".join)


def cut(octets: bytes, places: list[int]) -> list[bytes]:
    edges = sorted({0, len(octets), *(place % (len(octets) + 1) for place in places)})
    return [octets[start:end] for start, end in pairwise(edges)]


@settings(max_examples=400, deadline=None)
@given(NASTY, st.lists(st.integers(0, 200), max_size=6))
def test_every_reader_finds_one_message_and_the_same(octets: bytes, places: list[int]) -> None:
    wire = stuffed(*cut(octets, places))
    expected = re.sub(rb"\r\n|\r|\n", b"\r\n", octets.replace(b"\0", b""))
    if expected and not expected.endswith(b"\r\n"):
        expected += b"\r\n"
    for name, read in READERS.items():
        assert read(wire) == [expected], name


@settings(max_examples=200, deadline=None)
@given(CLEAN, st.lists(st.integers(0, 200), max_size=6))
def test_what_can_be_in_the_queue_arrives_octet_for_octet(octets: bytes, places: list[int]) -> None:
    octets += b"\r\n"
    assert READERS["strict"](stuffed(*cut(octets, places))) == [octets]


@pytest.mark.parametrize(
    "trick",
    [b"\n.\n", b"\n.\r\n", b"\r.\r", b"\r.\r\n", b"\r\n.\n", b"\r\n.\r", b"\r\r\n.\r\r\n", b"\n.\r", b"\r.\n",
     b"\r\n\0.\r\n", b"\r\n.\0\r\n", b"\r\n.\r\n"],
)  # fmt: skip
def test_no_end_of_data_trick_leaves_as_one(trick: bytes) -> None:
    smuggled = b"Subject: a\r\n\r\nx" + trick + b"MAIL FROM:<evil@example.net>\r\n"
    for split in range(len(smuggled)):
        wire = stuffed(smuggled[:split], smuggled[split:])
        assert all(len(read(wire)) == 1 for read in READERS.values())


def test_an_empty_message_is_a_single_dot() -> None:
    assert stuffed() == b".\r\n"


def test_a_dot_is_doubled_where_the_line_end_was_in_the_block_before() -> None:
    assert stuffed(b"a\r\n", b".b\r\n") == b"a\r\n..b\r\n.\r\n"
    assert stuffed(b"a\r", b"\n.b\r\n") == b"a\r\n..b\r\n.\r\n"


def test_a_missing_last_line_end_is_added() -> None:
    assert stuffed(b"a") == b"a\r\n.\r\n"
    assert stuffed(b"a\r") == b"a\r\n.\r\n"
