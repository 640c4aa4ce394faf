"""The database aliases: where each table lives, for SQLite and for PostgreSQL.

``default`` holds everything. ``bodies`` holds the chunks of large message bodies: on SQLite a second file, because
megabytes through the one writer of the first would make every other change wait; on PostgreSQL the same database.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.db.models import Model

BODIES_APP: Final = "bodies"
# How long a statement waits for SQLite's one write lock before it fails, in seconds.
LOCK_TIMEOUT: Final = 20


def sqlite(path: Path, *, synchronous: str, page_size: int) -> dict[str, Any]:
    """Return Django's settings for one SQLite file in WAL mode.

    Args:
        path: the database file.
        synchronous: PRAGMA synchronous; FULL makes a commit wait for the disk.
        page_size: bytes a page; takes effect when the file is made.
    """
    pragmas = (
        f"PRAGMA page_size={page_size};PRAGMA journal_mode=WAL;PRAGMA synchronous={synchronous};"
        "PRAGMA foreign_keys=ON;PRAGMA cache_size=-8000;PRAGMA temp_store=MEMORY"
    )
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(path),
        "OPTIONS": {"transaction_mode": "IMMEDIATE", "timeout": LOCK_TIMEOUT, "init_command": pragmas},
        "CONN_MAX_AGE": None,
    }


class BodiesRouter:
    """Send the chunks of large bodies to their own alias where there is one."""

    def _alias(self, app_label: str) -> str | None:
        if app_label == BODIES_APP and "bodies" in settings.DATABASES:
            return "bodies"
        return None

    def db_for_read(self, model: type[Model], **hints: object) -> str | None:
        """Return the alias that `model` is read from, or None for the default."""
        return self._alias(model._meta.app_label)

    def db_for_write(self, model: type[Model], **hints: object) -> str | None:
        """Return the alias that `model` is written to, or None for the default."""
        return self._alias(model._meta.app_label)

    def allow_migrate(self, db: str, app_label: str, **hints: object) -> bool:
        """Say whether `app_label` has tables in the alias `db`."""
        return db == (self._alias(app_label) or "default")
