"""Password verifiers: what is stored in a password's place, and the check against it (pure).

Two forms are known: ``bcrypt_sha256$$2b$12$…`` (Django's: bcrypt over the hex SHA-256 of the password, so any length
counts in full) and ``$2b$12$…`` (plain bcrypt, as other mail servers have it: a password beyond its 72 octets is never
cut, it simply does not match). Nothing here raises for a strange verifier or password: the answer is no.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from typing import Final

import bcrypt

MIN_COST: Final = 4  # bcrypt's own
MAX_COST: Final = 16  # four seconds or so; more is a mistake, or an attempt to keep a thread busy
_DJANGO: Final = "bcrypt_sha256$"
_BCRYPT: Final = re.compile(r"(?P<salt>\$2[aby]\$(?P<cost>[01][0-9])\$[./A-Za-z0-9]{22})[./A-Za-z0-9]{31}")
_BCRYPT_LIMIT: Final = 72  # octets of a password that plain bcrypt looks at
_TO_BCRYPT: Final = str.maketrans(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
    "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
)


def cost(verifier: str) -> int | None:
    """Return the base-2 logarithm of the rounds that a check takes; None when the form is not known."""
    match = _BCRYPT.fullmatch(verifier.removeprefix(_DJANGO))
    if match is None:
        return None
    found = int(match["cost"])
    return found if MIN_COST <= found <= MAX_COST else None


def check(verifier: str, password: bytes) -> bool:
    """Say whether `password` is the one behind `verifier`.

    It takes the time that the verifier's cost asks for, whatever the password, and compares in constant time.

    Args:
        verifier: one of the two forms; any other is answered no, at once.
        password: octets as the client sent them, NUL and all; an empty one is never right.
    """
    if cost(verifier) is None:
        return False
    expected = verifier.removeprefix(_DJANGO).encode()
    hashed_before = verifier.startswith(_DJANGO)
    fits = hashed_before or len(password) <= _BCRYPT_LIMIT
    # What does not fit is hashed all the same, for the time it takes.
    octets = password if fits and not hashed_before else hashlib.sha256(password).hexdigest().encode()
    try:
        found = bcrypt.hashpw(octets, expected)
    except ValueError:
        return False
    return hmac.compare_digest(found, expected) and fits and bool(password)


def decoy(rounds: int, seed: bytes) -> str:
    """Return a verifier that costs what a real one costs and belongs to no password.

    Args:
        rounds: the base-2 logarithm of the rounds.
        seed: makes one decoy differ from another; the same seed gives the same decoy.
    """
    octets = hashlib.sha512(seed).digest()
    salt = _bcrypt_base64(octets[:16])
    checksum = _bcrypt_base64(octets[16:39])
    return f"{_DJANGO}$2b${rounds:02d}${salt}{checksum}"


def _bcrypt_base64(octets: bytes) -> str:
    return base64.b64encode(octets).decode().rstrip("=").translate(_TO_BCRYPT)
