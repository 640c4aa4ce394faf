"""Who is in the middle of the first run, and what its pages suggest.

The one-time link's token is exchanged for a mark in the session at once, so that it stays in no history and no log of
visited pages; the mark holds for an hour and never longer than the first run itself.
"""

from __future__ import annotations

import ipaddress
import socket
from datetime import datetime, timedelta
from typing import Final

from django.contrib.sessions.backends.base import SessionBase

from mailadmin.accounts.addresses import AddressError, normal_domain

_MARK: Final = "first-run-until"
_VALID_FOR: Final = timedelta(hours=1)


def enter(session: SessionBase, now: datetime) -> None:
    """Mark the session as one that may do the first run."""
    session[_MARK] = (now + _VALID_FOR).timestamp()


def is_inside(session: SessionBase, now: datetime) -> bool:
    """Say whether the session may do the first run (the caller asks whether it is still to do)."""
    until = session.get(_MARK)
    return isinstance(until, int | float) and now.timestamp() < until


def leave(session: SessionBase) -> None:
    """Take the mark away."""
    session.pop(_MARK, None)


def suggested_hostname(asked: str, domain: str) -> str:
    """Return a name for the server: the one by which the browser reached it, the machine's, or mail.DOMAIN.

    Args:
        asked: the Host header, with or without a port.
        domain: the mail domain.
    """
    for name in (asked.rsplit(":", 1)[0], socket.gethostname()):
        if "." in name.strip(".") and not _is_address(name):
            try:
                return normal_domain(name)
            except AddressError:
                continue
    return f"mail.{domain}"


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True
