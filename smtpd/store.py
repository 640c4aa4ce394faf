"""The database as sessions see it: point reads, durable writes, sign-ins in batches.

This module and the package `smtpd.storage` are the only places where the daemon meets Django's side.
"""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from django.db import connections

from mailadmin.bodies import services as bodies
from mailadmin.queue.envelopes import NewMessage, SignInEvent, new_id
from smtpd.identity import AccountRow
from smtpd.storage.errors import DATABASE_ERRORS, UnavailableError, unavailable
from smtpd.storage.place import conninfo, sqlite_file
from smtpd.storage.readers import PostgresReader, Reader, SqliteReader
from smtpd.storage.writer import Writer

__all__ = ["Store", "UnavailableError"]


def _reader() -> Reader:
    """Return the reader that fits the database of the settings."""
    path = sqlite_file()
    return SqliteReader(path) if path else PostgresReader(conninfo())


class Store:
    """The database of one process; made in the running event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._reader = _reader()
        self._writer = Writer(loop)
        # Large bodies go to a store of their own, by a thread of their own: megabytes keep no commit waiting.
        self._bodies = ThreadPoolExecutor(1, thread_name_prefix="bodies")
        self._last_id = 0

    # --- reading ---

    def account_by_address(self, address: str) -> AccountRow | asyncio.Future[AccountRow | None] | None:
        """Return the account whose login is `address`, in whatever case, or a Future of it.

        Raises:
            UnavailableError: the database cannot be read now.
        """
        return self._reader.account_by_address(address.lower())

    def account_by_id(self, account: int) -> AccountRow | asyncio.Future[AccountRow | None] | None:
        """Return the account with this primary key, or a Future of it (see `account_by_address`)."""
        return self._reader.account_by_id(account)

    def mailbox(self, address: str) -> str | asyncio.Future[str | None] | None:
        """Return the address of the account that gets mail for `address`, or a Future of it; "" is the postmaster."""
        return self._reader.mailbox(address.lower())

    # --- writing ---

    def new_id(self) -> int:
        """Return the id of a message that is about to come in."""
        self._last_id = new_id(time.time(), self._last_id)
        return self._last_id

    def commit(self, message: NewMessage) -> asyncio.Future[None]:
        """Return a Future that is done when `message` is on disk.

        Raises (by the Future):
            UnavailableError: it is not, and will not be.
        """
        return self._writer.commit(message)

    def put_chunk(self, message: int, sequence: int, data: bytes) -> asyncio.Future[None]:
        """Return a Future that is done when a chunk of a large body is written (not yet durable, see `seal_body`)."""
        return self._loop.run_in_executor(self._bodies, self._put_chunk, message, sequence, data)

    def seal_body(self, message: int) -> asyncio.Future[None]:
        """Return a Future that is done when all chunks of `message` are on disk."""
        return self._loop.run_in_executor(self._bodies, self._seal_body, message)

    def drop_body(self, message: int) -> None:
        """Delete the chunks of a message that was not accepted, when there is time."""
        self._loop.run_in_executor(self._bodies, self._drop_body, message)

    def sign_in(self, event: SignInEvent) -> None:
        """Write `event` with the next batch."""
        self._writer.sign_in(event)

    def stalled(self, limit: float) -> bool:
        """Say whether the writer has been at one commit for more than `limit` seconds, or is dead."""
        return self._writer.stalled(limit)

    async def close(self, wait: float = 5.0) -> None:
        """Write what was handed over, then let go of the database; wait at most `wait` seconds for that."""
        await asyncio.to_thread(self._writer.stop, wait)
        self._bodies.submit(connections.close_all)
        self._bodies.shutdown(wait=False, cancel_futures=False)
        await self._reader.close()

    # --- in the thread of the bodies ---

    @staticmethod
    def _put_chunk(message: int, sequence: int, data: bytes) -> None:
        try:
            bodies.put_chunk(message, sequence, data, datetime.now(UTC))
        except DATABASE_ERRORS as error:
            connections.close_all()
            raise unavailable(error) from error

    @staticmethod
    def _seal_body(message: int) -> None:
        try:
            bodies.seal(message)
        except DATABASE_ERRORS as error:
            connections.close_all()
            raise unavailable(error) from error

    @staticmethod
    def _drop_body(message: int) -> None:
        try:
            bodies.drop(message)
        except DATABASE_ERRORS:
            # The sweep takes what stays.
            connections.close_all()
