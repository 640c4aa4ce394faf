"""PLAIN (RFC 4616): one message, ``authzid NUL authcid NUL passwd``, in UTF-8."""

from __future__ import annotations

from smtpd.sasl.exchange import MAX_IDENTITY, MAX_PASSWORD, CheckPassword, Exchange, Rejected, ask, judge
from smtpd.sasl.saslprep import PreparationError, prepare

_PARTS = 3


def plain(initial: bytes | None) -> Exchange:
    """Run PLAIN.

    Args:
        initial: the initial response, or None when the client waits for an empty challenge.
    """
    message = initial if initial is not None else (yield from ask(b""))
    parts = message.split(b"\0")
    if len(parts) != _PARTS:
        return Rejected("malformed")
    authzid, authcid, password = parts
    try:
        password.decode()
        need = CheckPassword(identity(authcid), password, identity(authzid) if authzid else "")
    except ValueError:
        return Rejected("refused")
    if not password or len(password) > MAX_PASSWORD:
        return Rejected("refused")
    return (yield from judge(need))


def identity(octets: bytes) -> str:
    """Return a user name in its prepared form.

    Raises:
        ValueError: it is empty, too long, not UTF-8, or SASLprep forbids it.
    """
    if len(octets) > MAX_IDENTITY:
        raise PreparationError("too long")
    return prepare(octets.decode())
