"""Values on their way into plain statements and back: times, above all.

SQLite keeps them as text in UTC and a plain cursor hands them out naive or as that text; PostgreSQL knows them.
"""

from __future__ import annotations

from datetime import UTC, datetime

from django.db import connection

# What stands for a placeholder.
Parameter = str | int | bytes | datetime | None


def stored(time: datetime) -> Parameter:
    """Return the parameter that stands for `time` (aware) in a plain statement on the default alias."""
    adapted: Parameter = connection.ops.adapt_datetimefield_value(time)
    return adapted


def loaded(value: datetime | str) -> datetime:
    """Return the aware UTC time behind a column's value as a plain cursor gives it."""
    time = datetime.fromisoformat(value) if isinstance(value, str) else value
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
