"""Hears when the generation moves on: by polling on SQLite, by NOTIFY on PostgreSQL.

SQLite: ``PRAGMA data_version`` ten times a second on a connection of the loop's own; it takes some 3 µs, because it
only looks whether another connection has committed. PostgreSQL: LISTEN, and a look at the row once a second in case a
notification was lost with a connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from pathlib import Path
from typing import Any, Final, Protocol

import psycopg
from django.db import DatabaseError

from mailadmin.generation.services import CHANNEL
from mailadmin.server.faults import explain
from smtpd.storage.errors import UnavailableError
from smtpd.storage.place import conninfo, sqlite_file

NUMBER: Final = "SELECT number FROM generation_generation WHERE id = 1"
POLL: Final = 0.1  # seconds, SQLite
FALLBACK: Final = 1.0  # seconds, PostgreSQL
ANSWER_TIME: Final = 10.0  # seconds for PostgreSQL to connect or answer
EMPTY: Final = "The database is empty. The first worker fills it; run `manage.py doctor` if this stays."


def in_words(error: BaseException) -> str:
    """Return what the driver or Django raised, as a sentence on what is wrong and one on what to do."""
    return explain(DatabaseError(str(error) or type(error).__name__))


class Ear(Protocol):
    """Waits for another generation."""

    async def wait(self, known: int | None) -> int:
        """Return the generation as soon as it is not `known` any more.

        Raises:
            UnavailableError: the database cannot be read now, or is empty; ask again later.
        """
        ...

    async def close(self) -> None:
        """Let go of the connection."""
        ...


class SqliteEar:
    """Polls the file's version."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._version: int | None = None

    async def wait(self, known: int | None) -> int:
        """Return the generation as soon as it is not `known` any more."""
        while True:
            number = self._moved()
            if number is not None and number != known:
                return number
            await asyncio.sleep(POLL)

    def _moved(self) -> int | None:
        """Return the generation if anything was committed since the last look, else None."""
        try:
            if self._connection is None:
                # mode=rw does not make a missing file; mode=ro could not use a log whose index is not there yet.
                self._connection = sqlite3.connect(
                    f"{self._path.absolute().as_uri()}?mode=rw", uri=True, timeout=0, isolation_level=None
                )
                self._connection.execute("PRAGMA query_only=1")
                self._version = None
            version = self._connection.execute("PRAGMA data_version").fetchone()[0]
            if version == self._version:
                return None
            row = self._connection.execute(NUMBER).fetchone()
            self._version = version
        except sqlite3.Error as error:
            self._drop()
            raise UnavailableError(in_words(error)) from error
        if row is None:
            self._drop()
            raise UnavailableError(EMPTY)
        return int(row[0])

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    async def close(self) -> None:
        """Let go of the connection."""
        self._drop()


class PostgresEar:
    """Listens to the channel that `bump` notifies."""

    def __init__(self, conninfo: str) -> None:
        self._conninfo = conninfo
        self._connection: psycopg.AsyncConnection[Any] | None = None

    async def wait(self, known: int | None) -> int:
        """Return the generation as soon as it is not `known` any more."""
        try:
            while True:
                async with asyncio.timeout(ANSWER_TIME):
                    number = await self._number()
                if number != known:
                    return number
                if self._connection is not None:
                    async for _ in self._connection.notifies(timeout=FALLBACK, stop_after=1):
                        pass
        except (psycopg.Error, OSError) as error:
            await self.close()
            raise UnavailableError(in_words(error)) from error

    async def _number(self) -> int:
        if self._connection is None:
            self._connection = await psycopg.AsyncConnection.connect(self._conninfo, autocommit=True)
            await self._connection.execute(f"LISTEN {CHANNEL}")
        cursor = await self._connection.execute(NUMBER)
        row = await cursor.fetchone()
        if row is None:
            raise UnavailableError(EMPTY)
        return int(row[0])

    async def close(self) -> None:
        """Let go of the connection."""
        if self._connection is not None:
            with contextlib.suppress(psycopg.Error, OSError):
                await self._connection.close()
            self._connection = None


def ear() -> Ear:
    """Return the ear that fits the database of the settings."""
    path = sqlite_file()
    return SqliteEar(path) if path else PostgresEar(conninfo())
