"""A generated password on its way from the form that made it to the page that shows it, once.

It waits sealed in the session, so that the session's row never holds it in the clear, and is taken out when shown.
"""

from __future__ import annotations

from typing import Final

from django.contrib.sessions.backends.base import SessionBase

from mailadmin import secretbox
from mailadmin.accounts.models import Account
from mailadmin.sealing import SealBrokenError

_PURPOSE: Final = "session.password"


def _key(account: Account) -> str:
    return f"password-once-{account.pk}"


def keep(session: SessionBase, account: Account, password: str) -> None:
    """Let the next page of `account` show `password`."""
    session[_key(account)] = secretbox.seal(password, _PURPOSE)


def take(session: SessionBase, account: Account) -> str:
    """Return the password that waits for `account`, and forget it; empty when none waits."""
    sealed = session.pop(_key(account), "")
    try:
        return secretbox.unseal(sealed, _PURPOSE)
    except SealBrokenError:  # the key was exchanged between the two pages
        return ""
