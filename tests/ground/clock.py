"""A clock that a test moves by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

START: Final = datetime(2026, 4, 1, 9, 0, tzinfo=UTC)


class Clock:
    """Tells the time as a callable, as the product wants it; it moves only when told to."""

    def __init__(self, start: datetime = START) -> None:
        """Show `start` (aware)."""
        self.now = start

    def __call__(self) -> datetime:
        """Return the time, aware and in UTC."""
        return self.now

    def advance(self, step: timedelta | float) -> datetime:
        """Move on by `step` (seconds, when it is a number) and return the new time."""
        self.now += step if isinstance(step, timedelta) else timedelta(seconds=step)
        return self.now
