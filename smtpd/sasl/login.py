"""LOGIN: user name and password, each asked for (an expired draft, and still what old mail programs speak).

The prompts are spelled as Outlook Express wants them. A user name as initial response is not in the draft, but common.
"""

from __future__ import annotations

from typing import Final

from smtpd.sasl.exchange import MAX_PASSWORD, CheckPassword, Exchange, Rejected, ask, judge
from smtpd.sasl.plain import identity

USERNAME: Final = b"Username:"
PASSWORD: Final = b"Password:"


def login(initial: bytes | None) -> Exchange:
    """Run LOGIN.

    Args:
        initial: the user name, or None when the client waits to be asked.
    """
    name = initial or (yield from ask(USERNAME))
    password = yield from ask(PASSWORD)
    try:
        password.decode()
        need = CheckPassword(identity(name), password)
    except ValueError:
        return Rejected("refused")
    if not password or len(password) > MAX_PASSWORD:
        return Rejected("refused")
    return (yield from judge(need))
