"""Replies of an SMTP or LMTP server, read from a stream of octets (sans-IO).

`ReplyReader` takes what arrives and hands out complete replies. It believes nothing: a line has at most 4 KiB and a
reply at most 100 lines, the codes of one reply must agree, and whatever is no reply at all (an HTTP server, line noise)
raises `BadReplyError` with an excerpt. What a server says ends on pages and in logs, so its text is made one printable
line here, once: no control or bidirectional character gets past this module.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

MAX_LINE: Final = 4096  # octets; RFC 5321 §4.5.3.1.5 asks for 512, and some servers say more
MAX_LINES: Final = 100
MAX_WORDS: Final = 1000  # characters of a reply that are kept in a verdict
_EXCERPT: Final = 80
_REPLY_LINE: Final = re.compile(rb"([2-5][0-9]{2})(?:([ -])(.*))?\Z", re.DOTALL)
_ENHANCED: Final = re.compile(r"([245])\.(\d{1,3})\.(\d{1,3})(?=\s|\Z)")  # RFC 2034 §4


class BadReplyError(Exception):
    """What arrived is no SMTP reply; str() says in words what it was."""


def visible(octets: bytes) -> str:
    """Return `octets` as one printable line: white space as spaces, everything else that is invisible escaped."""
    text = octets.decode("utf-8", "backslashreplace")
    return "".join(
        character
        if character.isprintable()
        else " "
        if character.isspace()
        else character.encode("unicode_escape").decode("ascii")
        for character in text
    )


@dataclass(frozen=True, slots=True)
class Reply:
    """One complete reply.

    Args:
        code: the three digits.
        lines: the texts behind the codes, made visible.
        enhanced: the enhanced status code that the server gave, or empty; one that contradicts `code` is ignored.
    """

    code: int
    lines: tuple[str, ...]
    enhanced: str = ""

    @property
    def kind(self) -> int:
        """The first digit of the code: 2 done, 3 go on, 4 try again, 5 refused (RFC 5321 §4.2.1)."""
        return self.code // 100

    @property
    def words(self) -> str:
        """The text on one line, without code and enhanced code; at most 1000 characters."""
        said = [line.removeprefix(self.enhanced) for line in self.lines]
        return " ".join(part.strip() for part in said if part.strip())[:MAX_WORDS]

    @property
    def raw(self) -> str:
        """The reply as it stood on the wire, made visible; lines end in LF."""
        last = len(self.lines) - 1
        return "\n".join(f"{self.code}{' ' if number == last else '-'}{line}" for number, line in enumerate(self.lines))


class ReplyReader:
    """Collects octets and gives complete replies in order."""

    __slots__ = ("_buffer", "_code", "_lines", "_searched")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._searched = 0  # octets of the buffer that are known to hold no line end
        self._code = 0
        self._lines: list[str] = []

    def feed(self, data: bytes) -> None:
        """Take what arrived."""
        self._buffer += data

    @property
    def waiting(self) -> int:
        """How many octets have arrived and were not yet given out (lines of an unfinished reply count as one each)."""
        return len(self._buffer) + len(self._lines)

    def next(self) -> Reply | None:
        """Return the next complete reply, or None when more must arrive first.

        Raises:
            BadReplyError: what arrived is no reply, or is out of bounds; the connection is of no more use.
        """
        while (line := self._line()) is not None:
            match = _REPLY_LINE.match(line)
            if match is None:
                raise BadReplyError(f"it does not speak SMTP; it said: {visible(line[:_EXCERPT])!r}")
            code = int(match[1])
            if self._lines and code != self._code:
                raise BadReplyError(f"one reply has two codes: {self._code} and {code}")
            self._code = code
            self._lines.append(visible(match[3] or b""))
            if match[2] != b"-":
                return self._complete()
            if len(self._lines) >= MAX_LINES:
                raise BadReplyError(f"its reply has more than {MAX_LINES} lines")
        return None

    def _line(self) -> bytes | None:
        """Take one line out of the buffer, without its line end (a bare LF is let pass)."""
        end = self._buffer.find(b"\n", self._searched)
        if (end if end >= 0 else len(self._buffer)) > MAX_LINE:
            raise BadReplyError(f"a line of its reply is longer than {MAX_LINE} octets")
        if end < 0:
            self._searched = len(self._buffer)
            return None
        line = bytes(self._buffer[:end]).removesuffix(b"\r")
        del self._buffer[: end + 1]
        self._searched = 0
        return line

    def _complete(self) -> Reply:
        """Make the collected lines a reply."""
        lines, self._lines = tuple(self._lines), []
        match = _ENHANCED.match(lines[0])
        enhanced = match[0] if match is not None and int(match[1]) == self._code // 100 else ""
        return Reply(self._code, lines, enhanced)
