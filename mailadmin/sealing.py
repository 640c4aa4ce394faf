"""Secrets at rest (pure): what must be recoverable is sealed with a key that is not in the database.

A sealed text is a Fernet token over ``purpose NUL secret``; the purpose (which row, which column) is checked at
opening, so a sealed text that somebody moves to another place does not open there.
"""

from __future__ import annotations

from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet


class SealBrokenError(Exception):
    """The sealed text does not open: another key, another purpose, or damage."""


def new_key() -> str:
    """Return a fresh sealing key as text."""
    return Fernet.generate_key().decode("ascii")


class Sealer:
    """Seals and opens secrets with a list of keys, the first of which seals."""

    def __init__(self, keys: Sequence[str]) -> None:
        """Take `keys`, newest first.

        Raises:
            ValueError: there is no key, or one is not 32 bytes of URL-safe base64.
        """
        if not keys:
            raise ValueError("no sealing key")
        self._fernet = MultiFernet([Fernet(key) for key in keys])

    def seal(self, secret: bytes, purpose: str) -> str:
        """Return `secret` sealed for `purpose` (such as ``smarthost.password``), as ASCII text."""
        return self._fernet.encrypt(purpose.encode() + b"\0" + secret).decode("ascii")

    def open(self, sealed: str, purpose: str) -> bytes:
        """Return the secret that was sealed for `purpose`.

        Raises:
            SealBrokenError: it does not open with any of the keys, or was sealed for something else.
        """
        try:
            stored_purpose, _, secret = self._fernet.decrypt(sealed.encode("ascii")).partition(b"\0")
        except (InvalidToken, UnicodeEncodeError) as error:
            raise SealBrokenError("no key opens it") from error
        if stored_purpose != purpose.encode():
            raise SealBrokenError("it was sealed for another purpose")
        return secret

    def reseal(self, sealed: str) -> str:
        """Return the same secret sealed with the first key."""
        try:
            return self._fernet.rotate(sealed.encode("ascii")).decode("ascii")
        except InvalidToken as error:
            raise SealBrokenError("no key opens it") from error
