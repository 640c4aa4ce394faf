"""Reading a server's replies: complete ones come out, everything else is bounded and told in words."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smtpd.smtp.client_features import Features
from smtpd.smtp.client_replies import MAX_LINE, MAX_LINES, BadReplyError, Reply, ReplyReader, visible


def read(*blocks: bytes) -> list[Reply]:
    reader = ReplyReader()
    replies = []
    for block in blocks:
        reader.feed(block)
        while (reply := reader.next()) is not None:
            replies.append(reply)
    return replies


def test_a_reply_of_several_lines_is_one() -> None:
    (reply,) = read(b"250-mx.test\r\n250-SIZE 10\r\n250 DSN\r\n")
    assert (reply.code, reply.lines) == (250, ("mx.test", "SIZE 10", "DSN"))
    assert reply.raw == "250-mx.test\n250-SIZE 10\n250 DSN"


@given(st.lists(st.integers(0, 60), max_size=8))
def test_replies_are_the_same_however_they_are_cut(places: list[int]) -> None:
    wire = b"220 hello\r\n550-5.1.1 no\r\n550 5.1.1 such user\r\n354\r\n"
    edges = sorted({0, len(wire), *(place for place in places if place < len(wire))})
    blocks = [wire[start:end] for start, end in pairwise(edges)]
    assert read(*blocks) == read(wire)


def test_the_enhanced_code_is_taken_out_of_the_words() -> None:
    (reply,) = read(b"550-5.1.1 There is\r\n550 5.1.1 nobody\r\n")
    assert (reply.enhanced, reply.words) == ("5.1.1", "There is nobody")


def test_an_enhanced_code_of_another_class_is_not_believed() -> None:
    (reply,) = read(b"450 5.1.1 later\r\n")
    assert reply.enhanced == ""


@pytest.mark.parametrize(
    "junk",
    [b"HTTP/1.1 400 Bad Request\r\n", b"\x16\x03\x01\x02\x00\n", b"99 too short\r\n", b"650 unheard of\r\n",
     b"250-one\r\n251 two\r\n", b"2500 many\r\n", b"\r\n"],
)  # fmt: skip
def test_what_is_no_reply_is_refused(junk: bytes) -> None:
    with pytest.raises(BadReplyError):
        read(junk)


def test_a_line_without_an_end_is_bounded() -> None:
    reader = ReplyReader()
    reader.feed(b"250 " + b"a" * MAX_LINE)
    with pytest.raises(BadReplyError, match=r"longer than 4096"):
        reader.next()


def test_a_reply_without_an_end_is_bounded() -> None:
    reader = ReplyReader()
    reader.feed(b"250-again\r\n" * MAX_LINES)
    with pytest.raises(BadReplyError, match=r"more than 100 lines"):
        reader.next()


def test_words_are_one_printable_line_of_at_most_a_thousand_characters() -> None:
    (reply,) = read(b"550 \x1b[31mred\t\x07\xe2\x80\xae" + b"\xff" + b"x" * 2000 + b"\r\n")
    assert reply.words.isprintable()
    assert reply.words.startswith(r"\x1b[31mred \x07\u202e\xff")
    assert len(reply.words) == 1000


def test_japanese_words_stay_readable() -> None:
    assert visible("メールボックスが、ありません\u3000".encode()) == "メールボックスが、ありません "


def test_features_are_read_without_regard_to_case() -> None:
    (reply,) = read(
        b"250-mx\r\n250-size 1000\r\n250-Auth plain LOGIN\r\n250-AUTH=CRAM-MD5\r\n250 limits RCPTMAX=7 mailmax=x\r\n"
    )
    features = Features.of(reply)
    assert features.size_limit == 1000
    assert features.mechanisms == {"PLAIN", "LOGIN", "CRAM-MD5"}
    assert features.limit("RCPTMAX") == 7
    assert features.limit("MAILMAX") is None


def test_the_greeting_line_is_no_feature() -> None:
    (reply,) = read(b"250 PIPELINING is my name\r\n")
    assert "PIPELINING" not in Features.of(reply)


@pytest.mark.parametrize("size", ["", "0", "-1", "many", "9" * 30, "１２"])
def test_a_size_that_is_no_number_is_no_limit(size: str) -> None:
    assert Features({"SIZE": size}).size_limit is None
