"""A delivery that is under way waits for its database instead of being put off."""

from __future__ import annotations

import asyncio

import pytest

from smtpd.storage import patience
from smtpd.storage.errors import UnavailableError


class Absent:
    """A database that answers after some failures."""

    def __init__(self, failures: int) -> None:
        self.left = failures

    async def read(self) -> str:
        """Answer, or fail."""
        self.left -= 1
        if self.left >= 0:
            raise UnavailableError("away")
        return "answer"


def test_a_read_goes_on_when_the_database_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "AGAIN", 0.001)
    assert asyncio.run(patience.patiently(Absent(5).read)) == "answer"


def test_an_old_connection_costs_no_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "AGAIN", 3600.0)

    async def read() -> str:
        async with asyncio.timeout(5):
            return await patience.patiently(Absent(1).read)

    assert asyncio.run(read()) == "answer"


def test_patience_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "PATIENCE", 0.01)
    monkeypatch.setattr(patience, "AGAIN", 0.001)
    with pytest.raises(UnavailableError):
        asyncio.run(patience.patiently(Absent(1_000_000).read))


def test_other_failures_are_not_waited_for() -> None:
    async def fail() -> None:
        raise LookupError

    with pytest.raises(LookupError):
        asyncio.run(patience.patiently(fail))
