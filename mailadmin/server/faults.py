"""Say in words what is wrong with the database, and what to do."""

from __future__ import annotations

from typing import Final

from django.conf import settings
from django.db import Error, connections
from django.utils.translation import gettext as _

_NO_TABLE: Final = ("no such table", "no such column", "does not exist")
_READ_ONLY: Final = ("readonly database", "read-only transaction", "unable to open database file")
_FULL: Final = ("disk is full", "no space left", "disk full")
_BUSY: Final = ("database is locked", "lock timeout", "deadlock detected")
_BROKEN: Final = ("malformed", "not a database")


def explain(error: Error) -> str:
    """Return one sentence on what happened and one on what to do.

    Args:
        error: what Django raised. Its text never holds a password: drivers name host, port and user only.
    """
    text = str(error).strip()
    folded = text.lower()
    # psycopg says 'database "x" does not exist' on connecting, which is not about tables.
    if any(sign in folded for sign in _NO_TABLE) and "connection" not in folded:
        return _("The database has no tables yet, or older ones. Run “make run” or “manage.py setup”, which make them.")
    if any(sign in folded for sign in _READ_ONLY):
        return _("The database cannot be written. Make the state folder %(home)s writable for this user.") % {
            "home": settings.HOME
        }
    if any(sign in folded for sign in _FULL):
        return _("The disk is full. Make room on the disk of %(place)s.") % {"place": place()}
    if any(sign in folded for sign in _BUSY):
        return _("Another process holds the database for too long. Try again.")
    if any(sign in folded for sign in _BROKEN):
        return _("The database %(place)s is damaged, or is no database. Restore it from a backup.") % {"place": place()}
    first_line = text.partition("\n")[0] or type(error).__name__
    return _("The database cannot be used (%(reason)s). See that it runs, and that DATABASE_URL names it.") % {
        "reason": first_line
    }


def place(alias: str = "default") -> str:
    """Return where the database `alias` is: a file, or host and name, without the password."""
    values = connections[alias].settings_dict
    if values["ENGINE"].endswith("sqlite3"):
        return str(values["NAME"])
    return f"{values['NAME']} on {values['HOST'] or 'this machine'}"
