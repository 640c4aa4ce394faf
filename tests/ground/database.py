"""A product's database as a test looks at it: plain SQL, on either database, past the product's own code.

Statements use ``%s`` for parameters. Times come back as aware datetimes on PostgreSQL and as text on SQLite.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row

Row = dict[str, Any]


class Database:
    """The database of one product."""

    def __init__(self, home: Path, url: str) -> None:
        """Look at the PostgreSQL database `url`, or at the file in `home` when that is empty."""
        self._file = home / "mailadmin.sqlite3"
        self._url = url

    def rows(self, statement: str, *parameters: object) -> list[Row]:
        """Run `statement`, committed at once, and return its rows by column names."""
        if self._url:
            with psycopg.connect(self._url, autocommit=True, row_factory=dict_row) as connection:
                cursor = connection.execute(statement.encode(), parameters)
                return cursor.fetchall() if cursor.description else []
        # Reading the file as root must not leave root's own WAL files beside it: mode=rw makes none that are missing
        # while the daemon runs, and the last one to close takes them away.
        with closing(sqlite3.connect(f"file:{self._file}?mode=rw", uri=True, timeout=20)) as connection:
            connection.row_factory = sqlite3.Row
            result = [dict(row) for row in connection.execute(statement.replace("%s", "?"), parameters)]
            connection.commit()
            return result

    def value(self, statement: str, *parameters: object) -> Any:
        """Return the only value of the only row of `statement`."""
        (row,) = self.rows(statement, *parameters)
        (value,) = row.values()
        return value

    def states(self) -> dict[str, int]:
        """Return how many recipients are in each state of the queue."""
        found = self.rows("SELECT state, count(*) AS number FROM queue_recipient GROUP BY state")
        return {row["state"]: row["number"] for row in found}
