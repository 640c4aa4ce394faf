"""Say in words what is wrong with the database, and what to do."""

from __future__ import annotations

from typing import Final

from django.conf import settings
from django.db import Error, connections
from django.utils.translation import gettext_lazy

# What drivers say, in lower case, and what that means. A text with "connection" in it is about connecting: psycopg says
# 'database "x" does not exist' there, which is not about tables.
_SIGNS: Final = (
    (
        ("no such table", "no such column", "does not exist"),
        gettext_lazy(
            "The database has no tables yet, or older ones. Run “make run” or “manage.py setup”, which make them."
        ),
    ),
    (
        ("readonly database", "read-only transaction", "unable to open database file"),
        gettext_lazy("The database cannot be written. Make the state folder %(home)s writable for this user."),
    ),
    (
        ("disk is full", "no space left", "disk full"),
        gettext_lazy("The disk is full. Make room on the disk of %(place)s."),
    ),
    (
        ("database is locked", "lock timeout", "deadlock detected"),
        gettext_lazy("Another process holds the database for too long. Try again."),
    ),
    (
        ("malformed", "not a database"),
        gettext_lazy("The database %(place)s is damaged, or is no database. Restore it from a backup."),
    ),
    (
        ("unique constraint", "foreign key constraint"),
        gettext_lazy("Somebody else changed the same thing at the same moment. Look at it, and try again."),
    ),
)
_UNKNOWN: Final = gettext_lazy(
    "The database cannot be used (%(reason)s). See that it runs, and that DATABASE_URL names it."
)


def explain(error: Error) -> str:
    """Return one sentence on what happened and one on what to do.

    Args:
        error: what Django raised. Its text never holds a password: drivers name host, port and user only.
    """
    text = str(error).strip()
    folded = text.lower()
    known = (words for signs, words in _SIGNS if any(sign in folded for sign in signs))
    words = _UNKNOWN if "connection" in folded else next(known, _UNKNOWN)
    reason = text.partition("\n")[0] or type(error).__name__
    return str(words) % {"home": settings.HOME, "place": place(), "reason": reason}


def place(alias: str = "default") -> str:
    """Return where the database `alias` is: a file, or host and name, without the password."""
    values = connections[alias].settings_dict
    if values["ENGINE"].endswith("sqlite3"):
        return str(values["NAME"])
    return f"{values['NAME']} on {values['HOST'] or 'this machine'}"
