"""The queue's plain types, shared by the daemon and the services (pure: no Django, no I/O)."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

# A body of at most this many octets is one row beside its message; a larger one is chunks in the bodies store.
SMALL_BODY: Final = 256 * 1024
CHUNK: Final = 256 * 1024

Outcome = Literal["delivered", "deferred", "failed"]
_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32, lower case: no i, l, o, u
_PAIRS: Final = tuple(first + second for first in _ALPHABET for second in _ALPHABET)
_SHIFTS: Final = (50, 40, 30, 20, 10, 0)
_EPOCH: Final = 1_577_836_800  # 2020-01-01, in Unix seconds


def new_id(unix_time: float, previous: int) -> int:
    """Return a message id: microseconds since 2020 and 12 random bits, above `previous`.

    It needs no round trip to the database, sorts by time, and fits a signed 64-bit integer until 2091. Two processes
    that accept in the same microsecond collide once in 4096 times; the primary key then refuses the second commit
    (451, the client tries again).

    Args:
        unix_time: now, in seconds.
        previous: the last id that this process made.
    """
    fresh = int((unix_time - _EPOCH) * 1_000_000) << 12 | secrets.randbits(12)
    return max(fresh, previous + 1)


def first_id(unix_time: float) -> int:
    """Return the lowest id that a message accepted at `unix_time` (seconds) or later has."""
    return max(0, int((unix_time - _EPOCH) * 1_000_000)) << 12


def queue_id(message: int) -> str:
    """Return a message id as people see it: 13 characters of base 32."""
    return _ALPHABET[message >> 60 & 31] + "".join([_PAIRS[message >> shift & 1023] for shift in _SHIFTS])


def parse_queue_id(text: str) -> int | None:
    """Return the message id behind `text` (upper or lower case), or None when it is no queue id."""
    folded = text.strip().lower()
    if len(folded) != 13 or any(character not in _ALPHABET for character in folded):  # noqa: PLR2004  # 65 bits
        return None
    number = 0
    for character in folded:
        number = number << 5 | _ALPHABET.index(character)
    return number


@dataclass(slots=True)
class NewRecipient:
    """A recipient as accepted: `domain` in normal form (lower case, A-labels), `notify` and `orcpt` as of RFC 3461."""

    address: str
    domain: str
    notify: str = ""
    orcpt: str = ""


@dataclass(slots=True)
class NewMessage:
    """An accepted message on its way into the queue.

    `body` is the whole message for a small one; for a large one it is empty and `chunks` says how many chunks were
    already written for `id`.
    """

    id: int
    sender: str
    recipients: list[NewRecipient]
    size: int
    accepted_at: datetime
    body: bytes = b""
    chunks: int = 0
    account: int | None = None
    message_id: str = ""
    smtputf8: bool = False
    eight_bit: bool = False
    envid: str = ""
    ret: str = ""
    listener: str = ""
    client: str = ""
    helo: str = ""
    mechanism: str = ""
    tls: str = ""


@dataclass(frozen=True, slots=True)
class ClaimedRecipient:
    """A recipient that this runner holds a lease on."""

    id: int
    address: str
    domain: str
    notify: str
    orcpt: str
    attempts: int
    delay_notified: bool


@dataclass(frozen=True, slots=True)
class ClaimedMessage:
    """A message with the recipients of it that were claimed together."""

    id: int
    sender: str
    size: int
    accepted_at: datetime
    smtputf8: bool
    eight_bit: bool
    envid: str
    ret: str
    chunked: bool
    account: int | None
    recipients: tuple[ClaimedRecipient, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of one try for one recipient.

    Args:
        outcome: delivered, deferred (try again later) or failed (for good).
        stage: where it was decided: resolve, connect, tls, auth, mail, rcpt, data, mailbox, expired, loop, route.
        code: the SMTP reply code, or 0 when there was no reply (`reply` then says in English what happened).
        enhanced: the enhanced status code, such as 4.4.1; never empty for deferred and failed.
        reply: the remote server's words, on one line, at most 1000 characters.
        peer: who answered: ``mx.example.org[192.0.2.1]:25``, or a folder.
        tls: protocol and cipher, or empty.
        dsn: whether the peer takes over RFC 3461's duties (it offered DSN), so no relayed notice is due from us.
    """

    outcome: Outcome
    stage: str
    code: int = 0
    enhanced: str = ""
    reply: str = ""
    peer: str = ""
    tls: str = ""
    dsn: bool = False


@dataclass(frozen=True, slots=True)
class Result:
    """A verdict with the recipient it is for and its time, ready to be recorded."""

    recipient: int
    verdict: Verdict
    at: datetime


@dataclass(slots=True)
class SignInEvent:
    """One attempt to sign in, on its way into the activity tables (see `activity.models.SignIn` for the fields)."""

    at: datetime
    login: str
    listener: str
    client: str
    result: str
    account: int | None = None
    mechanism: str = ""
    tls: str = ""
    helo: str = ""
