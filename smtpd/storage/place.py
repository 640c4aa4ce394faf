"""Where the database is, for connections that Django does not make."""

from __future__ import annotations

from pathlib import Path

from django.db import connection
from psycopg.conninfo import make_conninfo
from psycopg.pq import Conninfo


def sqlite_file() -> Path | None:
    """Return the file of the default database, or None where that is PostgreSQL."""
    return Path(str(connection.settings_dict["NAME"])) if connection.vendor == "sqlite" else None


def conninfo() -> str:
    """Return the connection string of the default database, a PostgreSQL one: all that Django would give to libpq."""
    known = {option.keyword.decode() for option in Conninfo.get_defaults()}
    parameters = connection.get_connection_params()
    return make_conninfo("", **{name: value for name, value in parameters.items() if name in known and value})
