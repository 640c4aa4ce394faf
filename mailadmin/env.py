"""The few facts that come from the environment; everything else is a row that the panel edits.

A wrong value stops the start with a sentence that says what to write instead.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

CHECKOUT: Final = Path(__file__).resolve().parent.parent
# So that a server that has vanished from the network is noticed in seconds, not after a quarter of an hour. The names
# are libpq's; the last one counts milliseconds.
PATIENCE: Final = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}
SYNCHRONOUS_LEVELS: Final = ("OFF", "NORMAL", "FULL", "EXTRA")


def home() -> Path:
    """Return the state folder: ``MAILADMIN_HOME``, or ``var/`` in the checkout."""
    return Path(os.environ.get("MAILADMIN_HOME") or CHECKOUT / "var").expanduser().absolute()


def sqlite_synchronous() -> str:
    """Return SQLite's ``synchronous`` level from ``MAILADMIN_SQLITE_SYNCHRONOUS`` (default FULL).

    Below FULL a 250 is a promise that a power cut can break; `manage.py check` then says so.

    Raises:
        ImproperlyConfigured: the value is not a level that SQLite knows.
    """
    level = os.environ.get("MAILADMIN_SQLITE_SYNCHRONOUS", "FULL").upper()
    if level not in SYNCHRONOUS_LEVELS:
        raise ImproperlyConfigured(
            f"MAILADMIN_SQLITE_SYNCHRONOUS={level!r}: use one of {', '.join(SYNCHRONOUS_LEVELS)} (FULL is right)."
        )
    return level


def database_url() -> str | None:
    """Return ``DATABASE_URL``, or None for the SQLite files in the state folder.

    Raises:
        ImproperlyConfigured: the URL's scheme is neither postgres nor postgresql.
    """
    url = os.environ.get("DATABASE_URL", "").strip()
    if not url:
        return None
    if urlsplit(url).scheme not in {"postgres", "postgresql"}:
        raise ImproperlyConfigured(
            "DATABASE_URL must look like postgresql://USER:PASSWORD@HOST:PORT/NAME; "
            "leave it out for SQLite in the state folder."
        )
    return url


def postgresql_settings(url: str) -> dict[str, Any]:
    """Return Django's settings for the PostgreSQL database that `url` names; its own options come first."""
    found = dict(environ.Env.db_url_config(url))
    return {**found, "OPTIONS": {**PATIENCE, **found.get("OPTIONS", {})}}
