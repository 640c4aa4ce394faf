"""Cuts the input into command lines (sans-IO).

A line ends in CRLF and has no other CR or LF. One that is too long is let pass by, so that a million octets cost no
memory; its end then answers for it.
"""

from __future__ import annotations

import enum
from typing import Final

# Octets of one line after which the connection is not worth keeping.
HOPELESS: Final = 1_000_000


class Fault(enum.Enum):
    """What was wrong with a line."""

    TOO_LONG = enum.auto()
    HOPELESS = enum.auto()
    BARE = enum.auto()


class LineCutter:
    """Gives line after line.

    Attributes:
        rest: the input that no line was made of yet.
    """

    __slots__ = ("_passed", "rest")

    def __init__(self) -> None:
        self.rest = b""
        self._passed = 0  # octets of an over-long line that were thrown away

    def next(self, limit: int) -> bytes | Fault | None:
        """Return the next line without its CRLF, what is wrong with it, or None when its end is not there yet.

        Args:
            limit: octets that the line may have, its CRLF aside.
        """
        end = self.rest.find(b"\n")
        if end < 0:
            return self._wait(limit)
        line, self.rest = self.rest[:end], self.rest[end + 1 :]
        length, self._passed = self._passed + end, 0
        if length > limit + 1:
            return Fault.TOO_LONG
        if line.endswith(b"\r") and line.find(b"\r") == end - 1:
            return line[:-1]
        return Fault.BARE

    def _wait(self, limit: int) -> Fault | None:
        if self._passed + len(self.rest) <= limit + 1:
            return None
        self._passed += len(self.rest)
        self.rest = b""
        return Fault.HOPELESS if self._passed > HOPELESS else None
