"""Brings a stored message into the form that goes over the wire after DATA (sans-IO; RFC 5321 §4.5.2).

Blocks in, blocks out, of any size: a dot at the beginning of a line is doubled, also where a block ends between the
line end and the dot; the last line gets its CRLF, and CRLF "." CRLF ends it all.

Some servers take a bare LF, a bare CR or a line with NULs in it for more than it is, and see an end of data where none
was meant: a second message that nobody checked ("SMTP smuggling"). Nothing of that kind can be in the queue, since
submission refuses it; should it be there all the same, it does not leave: every bare CR and bare LF becomes CRLF
*before* dots are doubled, and NUL, which no message may contain (RFC 5322 §4, RFC 2045 §2.8), is dropped. So every
reader, however liberal, finds one message and the same one. The clean case costs three counts of a block.
"""

from __future__ import annotations

import re
from typing import Final

_LINE_END: Final = re.compile(rb"\r\n|\r|\n")


class DotStuffer:
    """Turns the blocks of one message into what follows 354."""

    __slots__ = ("_at_line_start", "_held_cr")

    def __init__(self) -> None:
        self._at_line_start = True
        self._held_cr = False  # a CR at the end of the last block, whose LF may begin the next

    def feed(self, block: bytes) -> bytes:
        """Return the form of `block` that is sent (empty when all of it must wait for the next block)."""
        block = block.replace(b"\0", b"")  # the same object where there is none
        if self._held_cr:
            block = b"\r" + block
        self._held_cr = block.endswith(b"\r")
        if self._held_cr:
            block = block[:-1]
        return self._stuffed(block)

    def finish(self) -> bytes:
        """Return what is left and the end of data."""
        rest = b"\r\n" if self._held_cr or not self._at_line_start else b""
        return rest + b".\r\n"

    def _stuffed(self, block: bytes) -> bytes:
        if not block:
            return block
        pairs = block.count(b"\r\n")
        if block.count(b"\n") != pairs or block.count(b"\r") != pairs:
            block = _LINE_END.sub(b"\r\n", block)
        result = block.replace(b"\r\n.", b"\r\n..")
        if self._at_line_start and block.startswith(b"."):
            result = b"." + result
        self._at_line_start = block.endswith(b"\r\n")
        return result
