"""Rings when there may be something to do in the queue.

SQLite: ``PRAGMA data_version`` twenty times a second on a connection of the loop's own; it changes when another
connection has committed anything, and then one look at an index says whether mail is due. PostgreSQL: LISTEN on the
channel that `mailadmin.queue.services.enqueue` notifies; what a lost connection has missed is found by the runner's own
look once a second.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Protocol

import psycopg

from mailadmin.queue.services import CHANNEL
from smtpd.storage.errors import UnavailableError
from smtpd.storage.place import conninfo, sqlite_file

POLL: Final = 0.05  # seconds, SQLite
FALLBACK: Final = 1.0  # seconds, PostgreSQL
CONNECT_TIME: Final = 10.0  # seconds
_DUE: Final = "SELECT EXISTS (SELECT 1 FROM queue_recipient WHERE state = 'waiting' AND next_attempt_at <= ?)"


class Bell(Protocol):
    """Waits for a change in the queue."""

    async def wait(self, seconds: float) -> None:
        """Return when something may have changed, and after `seconds` in any case.

        Raises:
            UnavailableError: the database cannot be reached now.
        """
        ...

    async def close(self) -> None:
        """Let go of the connection."""
        ...


class SqliteBell:
    """Polls the file's version."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._version = -1

    async def wait(self, seconds: float) -> None:
        """Return when something was committed since the last look and mail is due, or after `seconds`."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while not self._rings() and (left := end - loop.time()) > 0:  # noqa: ASYNC110  # SQLite tells nobody
            await asyncio.sleep(min(POLL, left))

    def _rings(self) -> bool:
        try:
            if self._connection is None:
                # Mode rw does not make a missing file.
                uri = f"{self._path.absolute().as_uri()}?mode=rw"
                self._connection = sqlite3.connect(uri, uri=True, timeout=0, isolation_level=None)
                self._connection.execute("PRAGMA query_only=1")
            version = self._connection.execute("PRAGMA data_version").fetchone()[0]
            if version == self._version:
                return False
            self._version = version
            return bool(self._connection.execute(_DUE, (str(datetime.now(UTC).replace(tzinfo=None)),)).fetchone()[0])
        except sqlite3.Error as error:
            self._drop()
            raise UnavailableError(f"{type(error).__name__}: {error}") from error

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
            self._version = -1

    async def close(self) -> None:
        """Let go of the connection."""
        self._drop()


class PostgresBell:
    """Listens to the queue's channel."""

    def __init__(self, conninfo: str) -> None:
        self._conninfo = conninfo
        self._connection: psycopg.AsyncConnection[Any] | None = None

    async def wait(self, seconds: float) -> None:
        """Return at a notification, and after `seconds` or a second, whichever is less."""
        try:
            if self._connection is None:
                async with asyncio.timeout(CONNECT_TIME):
                    self._connection = await psycopg.AsyncConnection.connect(self._conninfo, autocommit=True)
                    await self._connection.execute(f"LISTEN {CHANNEL}")
                return  # what was committed before it listened was not heard
            async for _ in self._connection.notifies(timeout=min(seconds, FALLBACK), stop_after=1):
                pass
        except (psycopg.Error, OSError) as error:
            await self.close()
            raise UnavailableError(f"{type(error).__name__}: {error}") from error

    async def close(self) -> None:
        """Let go of the connection."""
        if self._connection is not None:
            with contextlib.suppress(psycopg.Error, OSError):
                await self._connection.close()
            self._connection = None


def bell() -> Bell:
    """Return the bell that fits the database of the settings."""
    path = sqlite_file()
    return SqliteBell(path) if path else PostgresBell(conninfo())
