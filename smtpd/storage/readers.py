"""Point reads of accounts: one row, at each AUTH, MAIL and RCPT.

On SQLite a read takes a few microseconds on a connection of the loop's own, so the answer is there at once. On
PostgreSQL it is a Future. A caller asks `isinstance(answer, Future)` and waits only then: no task, no thread.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Protocol

import psycopg

from smtpd.identity import AccountRow
from smtpd.storage.errors import UnavailableError

_COLUMNS: Final = (
    "a.id, a.address, a.password, a.suspended_at IS NOT NULL, a.epoch, "
    "(SELECT {concat}(s.pattern, ' ') FROM accounts_senderaddress s WHERE s.account_id = a.id)"
)
_BY_ADDRESS: Final = "SELECT {columns} FROM accounts_account a WHERE a.address = {mark}"
_BY_ID: Final = "SELECT {columns} FROM accounts_account a WHERE a.id = {mark}"
# The mailbox of an address is that of the account it names, or names without its plus-tag; of the postmaster, that of
# the first administrator.
_MAILBOX: Final = (
    "SELECT address FROM accounts_account WHERE address IN ({mark}, {mark}) ORDER BY length(address) DESC LIMIT 1"
)
_POSTMASTER: Final = "SELECT address FROM accounts_account WHERE is_administrator ORDER BY id LIMIT 1"


@lru_cache(maxsize=4096)
def _patterns(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _account(row: Sequence[Any] | None) -> AccountRow | None:
    if row is None:
        return None
    return AccountRow(row[0], row[1], row[2], bool(row[3]), row[4], _patterns(row[5] or ""))


def _is_postmaster(address: str) -> bool:
    """Say whether mail for `address` is the administrator's where nobody has that mailbox (RFC 5321 §4.5.1)."""
    return not address or address.startswith("postmaster@")


def _without_tag(address: str) -> str:
    local, _, domain = address.rpartition("@")
    return f"{local.partition('+')[0]}@{domain}"


class Reader(Protocol):
    """Point reads, answered at once or by a Future."""

    def account_by_address(self, address: str) -> AccountRow | asyncio.Future[AccountRow | None] | None:
        """Return the account whose login is `address` (lower case)."""
        ...

    def account_by_id(self, account: int) -> AccountRow | asyncio.Future[AccountRow | None] | None:
        """Return the account with this primary key."""
        ...

    def mailbox(self, address: str) -> str | asyncio.Future[str | None] | None:
        """Return the address of the account that gets mail for `address` (lower case; "" is the postmaster)."""
        ...

    async def close(self) -> None:
        """Let go of the connection."""
        ...


class SqliteReader:
    """Reads in the calling thread, from a connection of its own."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        form = {"columns": _COLUMNS.format(concat="group_concat"), "mark": "?"}
        self._by_address = _BY_ADDRESS.format(**form)
        self._by_id = _BY_ID.format(**form)
        self._mailbox = _MAILBOX.format(mark="?")

    def _one(self, statement: str, parameters: tuple[object, ...]) -> Any:
        try:
            if self._connection is None:
                uri = f"{self._path.absolute().as_uri()}?mode=rw"
                # A reader in WAL mode waits for nobody; the timeout is for the moment of a checkpoint's recovery.
                self._connection = sqlite3.connect(uri, uri=True, timeout=0.2, isolation_level=None)
                self._connection.execute("PRAGMA query_only=1")
            return self._connection.execute(statement, parameters).fetchone()
        except sqlite3.Error as error:
            if self._connection is not None:
                self._connection.close()
                self._connection = None
            raise UnavailableError(f"{type(error).__name__}: {error}") from error

    def account_by_address(self, address: str) -> AccountRow | None:
        """Return the account whose login is `address` (lower case)."""
        return _account(self._one(self._by_address, (address,)))

    def account_by_id(self, account: int) -> AccountRow | None:
        """Return the account with this primary key."""
        return _account(self._one(self._by_id, (account,)))

    def mailbox(self, address: str) -> str | None:
        """Return the address of the account that gets mail for `address` (lower case; "" is the postmaster)."""
        row = self._one(self._mailbox, (address, _without_tag(address)))
        if row is None and _is_postmaster(address):
            row = self._one(_POSTMASTER, ())
        return row[0] if row else None

    async def close(self) -> None:
        """Let go of the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class PostgresReader:
    """Reads over a few connections of its own, in the event loop."""

    CONNECTIONS: Final = 4
    TIME: Final = 10.0  # seconds for a read, connecting included

    def __init__(self, conninfo: str) -> None:
        self._conninfo = conninfo
        self._free: asyncio.LifoQueue[psycopg.AsyncConnection[Any] | None] = asyncio.LifoQueue()
        for _ in range(self.CONNECTIONS):
            self._free.put_nowait(None)
        form = {"columns": _COLUMNS.format(concat="string_agg"), "mark": "%s"}
        self._by_address = _BY_ADDRESS.format(**form).encode()
        self._by_id = _BY_ID.format(**form).encode()
        self._mailbox = _MAILBOX.format(mark="%s").encode()

    async def _one(self, statement: bytes, parameters: tuple[object, ...]) -> Any:
        try:
            async with asyncio.timeout(self.TIME):
                try:
                    return await self._ask(statement, parameters)
                except psycopg.OperationalError:
                    # The connection may be from before the database went away and came back; a new one tells.
                    return await self._ask(statement, parameters, anew=True)
        except (psycopg.Error, OSError) as error:
            raise UnavailableError(f"{type(error).__name__}: {error}") from error

    async def _ask(self, statement: bytes, parameters: tuple[object, ...], *, anew: bool = False) -> Any:
        connection = await self._free.get()
        kept: psycopg.AsyncConnection[Any] | None = None
        try:
            if connection is not None and anew:
                await connection.close()
            if connection is None or connection.closed:
                connection = await psycopg.AsyncConnection.connect(self._conninfo, autocommit=True)
            cursor = await connection.execute(statement, parameters, prepare=True)
            row = await cursor.fetchone()
            kept = connection
            return row
        finally:
            if kept is None and connection is not None:
                await connection.close()
            self._free.put_nowait(kept)

    def account_by_address(self, address: str) -> asyncio.Future[AccountRow | None]:
        """Return the account whose login is `address` (lower case)."""
        return asyncio.ensure_future(self._account(self._by_address, (address,)))

    def account_by_id(self, account: int) -> asyncio.Future[AccountRow | None]:
        """Return the account with this primary key."""
        return asyncio.ensure_future(self._account(self._by_id, (account,)))

    async def _account(self, statement: bytes, parameters: tuple[object, ...]) -> AccountRow | None:
        return _account(await self._one(statement, parameters))

    def mailbox(self, address: str) -> asyncio.Future[str | None]:
        """Return the address of the account that gets mail for `address` (lower case; "" is the postmaster)."""
        return asyncio.ensure_future(self._find_mailbox(address))

    async def _find_mailbox(self, address: str) -> str | None:
        row = await self._one(self._mailbox, (address, _without_tag(address)))
        if row is None and _is_postmaster(address):
            row = await self._one(_POSTMASTER.encode(), ())
        return row[0] if row else None

    async def close(self) -> None:
        """Let go of the connections."""
        while not self._free.empty():
            connection = self._free.get_nowait()
            if connection is not None:
                await connection.close()
