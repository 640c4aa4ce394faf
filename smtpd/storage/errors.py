"""What a session needs to know when the database does not do what was asked."""

from __future__ import annotations

import errno
import sqlite3

from django.db import DatabaseError, InterfaceError

DATABASE_ERRORS = (DatabaseError, InterfaceError, sqlite3.Error, OSError)
# PostgreSQL's SQLSTATE for a full disk.
_PG_DISK_FULL = "53100"


class UnavailableError(Exception):
    """The database cannot be read or written now; nothing was stored.

    Attributes:
        full: it is for want of room.
    """

    def __init__(self, message: str, *, full: bool = False) -> None:
        super().__init__(message)
        self.full = full


def unavailable(error: BaseException) -> UnavailableError:
    """Return the error for a session, from what the driver raised."""
    text = f"{type(error).__name__}: {error}"
    cause = error.__cause__
    full = (
        "disk is full" in text
        or getattr(cause, "sqlstate", None) == _PG_DISK_FULL
        or (isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT})
    )
    return UnavailableError(text, full=full)
