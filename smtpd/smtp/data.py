"""The octets of a message on the wire: where it ends, and what is wrong with its lines (sans-IO).

`DataReader` takes what follows DATA, and takes the doubled dots out; `ChunkReader` takes what follows each BDAT.

Only CRLF "." CRLF ends a message (RFC 5321 §4.1.1.4). Every other sequence that some server somewhere takes for an end
needs a bare CR or a bare LF, and one of those anywhere makes the whole message refused: so no trick of that kind yields
two messages here or at the next server (RFC 5321 §2.3.8).

The work is done block by block with searches that run in C. What could be the beginning of the end (at most four
octets) is kept back until more comes.
"""

from __future__ import annotations

from typing import Final

END: Final = b"\r\n.\r\n"
_TAILS: Final = (b"\r\n.\r", b"\r\n.", b"\r\n", b"\r")
# Longest line a message may have, its CRLF aside. RFC 5321 §4.5.3.1.6 promises 998; programs that write HTML on one
# line exceed it, so the limit is wider, and is there to keep a line within what the next server can hold.
LINE_LIMIT: Final = 16_384


class LineWatch:
    """Watches a stream of octets for bare CR or LF and for lines that are too long.

    Attributes:
        bare: a CR without LF or a LF without CR was seen.
        too_long: a line had more than LINE_LIMIT octets.
    """

    __slots__ = ("_open", "bare", "too_long")

    def __init__(self) -> None:
        self.bare = False
        self.too_long = False
        self._open = 0  # octets since the last line end

    def look(self, block: bytes) -> None:
        """Take the next octets; a CRLF must not be split between two calls."""
        pairs = block.count(b"\r\n")
        if block.count(b"\n") != pairs or block.count(b"\r") != pairs:
            self.bare = True
        if self._open + len(block) > LINE_LIMIT:
            self._measure(block)
        last = block.rfind(b"\n")
        self._open = self._open + len(block) if last < 0 else len(block) - last - 1

    def _measure(self, block: bytes) -> None:
        """Look for a line beyond the limit by jumping from line end to line end, a limit at a time."""
        start, length = -self._open, len(block)
        while start + LINE_LIMIT < length:
            # The last line end within reach of a permitted line that began at `start`.
            end = block.rfind(b"\r\n", max(start, 0), start + LINE_LIMIT + 2)
            if end < 0:
                self.too_long = True
                return
            start = end + 2


class DataReader:
    """Takes what comes after 354 and gives the message back, piece by piece.

    Attributes:
        complete: the end was seen.
        finished: the same; there is only one piece.
        rest: what came behind the end; commands, if anything.
        lines: what was wrong with the line ends.
    """

    __slots__ = ("_held", "_skip", "complete", "finished", "lines", "rest")

    def __init__(self) -> None:
        self.complete = False
        self.finished = False
        self.rest = b""
        self.lines = LineWatch()
        # As if a line had just ended: "." at the very beginning is a whole line, too. Its CRLF is not given back.
        self._held = b"\r\n"
        self._skip = 2

    def feed(self, data: bytes) -> bytes:
        """Take the next octets from the wire; return the message's octets that are certain now."""
        block = self._held + data
        # One search finds the first dot at a line's beginning; in most messages that is already the end.
        dot = block.find(b"\r\n.")
        end = dot if dot < 0 or block.startswith(END, dot) else block.find(END, dot)
        if end >= 0:
            self.complete = self.finished = True
            self.rest = block[end + 5 :]
            block = block[: end + 2]
            self._held = b""
        else:
            self._held = next((tail for tail in _TAILS if block.endswith(tail)), b"")
            if self._held:
                block = block[: -len(self._held)]
        if not block:
            return b""
        if dot >= 0 and dot != end:
            block = block.replace(b"\r\n.", b"\r\n")
        if self._skip:
            # The first block begins with the CRLF that was put before it.
            block = block[2:]
            self._skip = 0
        self.lines.look(block)
        return block


class ChunkReader:
    """Takes the octets that each BDAT announces (RFC 3030 §2).

    Attributes:
        complete: the present chunk is there.
        finished: it is, and it was the last.
        rest: what came behind the chunk; commands, if anything.
        lines: what was wrong with the line ends.
    """

    __slots__ = ("_carry", "_last", "_left", "complete", "finished", "lines", "rest")

    def __init__(self) -> None:
        self.complete = True
        self.finished = False
        self.rest = b""
        self.lines = LineWatch()
        self._left = 0
        self._last = False
        self._carry = b""

    def expect(self, size: int, *, last: bool) -> None:
        """Begin a chunk of `size` octets."""
        self._left = size
        self._last = last
        self.complete = False

    def feed(self, data: bytes) -> bytes:
        """Take the next octets from the wire; return the message's octets that are certain now."""
        piece = self._carry + data[: self._left]
        self.rest = data[self._left :]
        self._left -= min(self._left, len(data))
        self.complete = not self._left
        self.finished = self.complete and self._last
        # A CR at the end waits for its LF, in this chunk or the next.
        self._carry = b"" if self.finished or not piece.endswith(b"\r") else b"\r"
        if self._carry:
            piece = piece[:-1]
        self.lines.look(piece)
        return piece
