"""Where a message ends on the wire, and what is wrong with its lines."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from smtpd.smtp.data import LINE_LIMIT, ChunkReader, DataReader
from smtpd.smtp.lines import HOPELESS, Fault, LineCutter

LINES = st.lists(st.binary(max_size=40).filter(lambda line: b"\r" not in line and b"\n" not in line), max_size=12)
CUTS = st.lists(st.integers(min_value=0, max_value=600), max_size=8)


def pieces(wire: bytes, cuts: list[int]) -> list[bytes]:
    """Return `wire` cut at `cuts`."""
    places = [0, *sorted(min(cut, len(wire)) for cut in cuts), len(wire)]
    return [wire[start:end] for start, end in pairwise(places)]


def read(wire: bytes, cuts: list[int]) -> tuple[DataReader, bytes]:
    """Feed `wire` in pieces and return the reader and the message; what comes behind the end is kept in ``rest``."""
    reader, message = DataReader(), b""
    for piece in pieces(wire, cuts):
        if reader.finished:
            reader.rest += piece
        else:
            message += reader.feed(piece)
    return reader, message


@given(LINES, CUTS)
def test_every_message_comes_out_as_it_was_however_it_is_cut(lines: list[bytes], cuts: list[int]) -> None:
    message = b"".join(line + b"\r\n" for line in lines)
    stuffed = b"".join((b"." if line.startswith(b".") else b"") + line + b"\r\n" for line in lines)
    reader, taken = read(stuffed + b".\r\nQUIT\r\n", cuts)
    assert reader.finished
    assert taken == message
    assert reader.rest == b"QUIT\r\n"
    assert not reader.lines.bare
    assert not reader.lines.too_long


@given(st.lists(st.sampled_from([b"\r", b"\n", b".", b"a", b"\r\n", b"\r\n.\r\n"]), max_size=30), CUTS)
def test_how_it_is_cut_changes_nothing(parts: list[bytes], cuts: list[int]) -> None:
    wire = b"".join(parts)
    whole, message = read(wire, [])
    cut, same = read(wire, cuts)
    assert (cut.finished, same, cut.rest, cut.lines.bare) == (whole.finished, message, whole.rest, whole.lines.bare)
    assert whole.finished == (wire.startswith(b".\r\n") or b"\r\n.\r\n" in wire)
    if whole.finished:
        ended = wire[: len(wire) - len(whole.rest)]
        lone = ended.replace(b"\r\n", b"")
        assert whole.lines.bare == (b"\r" in lone or b"\n" in lone)


@given(st.integers(min_value=0, max_value=3 * LINE_LIMIT), CUTS)
def test_a_line_is_too_long_exactly_beyond_the_limit(length: int, cuts: list[int]) -> None:
    wire = b"a\r\n" + b"x" * length + b"\r\nb\r\n.\r\n"
    reader, _ = read(wire, [cut * 80 for cut in cuts])
    assert reader.lines.too_long == (length > LINE_LIMIT)


@given(st.lists(st.integers(min_value=0, max_value=LINE_LIMIT), max_size=6))
def test_many_permitted_lines_are_permitted_together(lengths: list[int]) -> None:
    wire = b"".join(b"x" * length + b"\r\n" for length in lengths)
    reader, _ = read(wire + b".\r\n", [])
    assert not reader.lines.too_long


@given(st.binary(max_size=200), CUTS, st.lists(st.integers(min_value=1, max_value=60), max_size=6))
def test_chunks_give_back_what_they_announced(message: bytes, cuts: list[int], sizes: list[int]) -> None:
    reader, taken, left = ChunkReader(), b"", message
    for size in [*sizes, len(message)]:
        chunk, left = left[:size], left[size:]
        last = not left
        reader.expect(len(chunk), last=last)
        for piece in pieces(chunk, cuts):
            taken += reader.feed(piece)
        assert reader.complete
        assert reader.finished == last
        if last:
            break
    assert taken == message
    lone = message.replace(b"\r\n", b"")
    assert reader.lines.bare == (b"\r" in lone or b"\n" in lone)


def test_a_chunk_leaves_the_commands_behind_it() -> None:
    reader = ChunkReader()
    reader.expect(3, last=True)
    assert reader.feed(b"abcQUIT\r\n") == b"abc"
    assert reader.rest == b"QUIT\r\n"


def test_a_line_ends_in_crlf_and_in_nothing_else() -> None:
    cutter = LineCutter()
    cutter.rest = b"NOOP\r\nNOOP\nNO\rOP\r\n\r\nQU"
    assert [cutter.next(10) for _ in range(5)] == [b"NOOP", Fault.BARE, Fault.BARE, b"", None]
    cutter.rest += b"IT\r\n"
    assert cutter.next(10) == b"QUIT"


def test_a_line_at_the_limit_is_taken_and_one_beyond_is_not_however_it_comes() -> None:
    for length in (10, 11):
        for cut in range(length + 3):
            cutter = LineCutter()
            line = b"x" * length + b"\r\n"
            cutter.rest = line[:cut]
            first = cutter.next(10)
            cutter.rest += line[cut:]
            expected = line[:-2] if length == 10 else Fault.TOO_LONG
            assert (first or cutter.next(10)) == expected


def test_an_endless_line_is_thrown_away_and_then_given_up() -> None:
    cutter = LineCutter()
    passed, said = 0, None
    while said is None:
        cutter.rest += b"x" * 1000
        passed += 1000
        said = cutter.next(512)
        assert len(cutter.rest) <= 1000
    assert said is Fault.HOPELESS
    assert passed > HOPELESS


def test_a_cr_and_a_lf_that_stand_apart_are_no_pair() -> None:
    for text in (b"a\rb\nc\r\n", b"\rb\n\r\n", b"a\nb\rc\r\n"):
        reader, _ = read(text + b".\r\n", [])
        assert reader.lines.bare, text
