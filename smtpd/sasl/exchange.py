"""What a SASL mechanism is: a generator that yields what it needs and returns what came of it.

Theory of operation. A mechanism knows its own messages and nothing else: no base64, no network, no database, no clock.
Its driver sends an answer for each need:

    need                                    answer
    Challenge(data)                         the client's response, decoded (bytes)
    CheckPassword(login, password, ...)     whether that is right (bool)

and in the end gets Authenticated(login) or Rejected(reason):

    malformed   the response breaks the mechanism's grammar
    refused     the driver's own answer was no, or no account can have such a name or password

A driver may give up at any point by closing the generator. All that takes time, the hash above all, is a yielded need,
so it cannot hide in an event loop, and SMTP, POP3 and the tests are three short drivers of the same mechanisms.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Final, Literal

MAX_IDENTITY: Final = 255  # octets of a user name (RFC 4616 §2)
MAX_PASSWORD: Final = 1024  # octets; no longer one can be set


@dataclass(frozen=True, slots=True)
class Challenge:
    """The mechanism needs the client's response to `data`."""

    data: bytes


@dataclass(frozen=True, slots=True)
class CheckPassword:
    """The mechanism needs to know whether this is the password of that user.

    Args:
        login: the user name, prepared (SASLprep).
        password: as the client sent it, in UTF-8.
        authzid: whom the client wants to act for, prepared; empty for the user itself.
    """

    login: str
    password: bytes
    authzid: str = ""


@dataclass(frozen=True, slots=True)
class Authenticated:
    """The client has proved to be `login`."""

    login: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """It has not."""

    reason: Literal["malformed", "refused"]


Need = Challenge | CheckPassword
Outcome = Authenticated | Rejected
Exchange = Generator[Need, bytes | bool, Outcome]


@dataclass(frozen=True, slots=True)
class Mechanism:
    """A mechanism as the server offers it.

    Args:
        name: as EHLO says it.
        start: begins an exchange, with the client's initial response or None.
        plaintext: whether the password itself crosses the wire.
        client_first: whether the client speaks first, so that without an initial response the challenge is empty.
        initial_response: whether one is taken at all (RFC 4954 §4 refuses it for the others).
    """

    name: str
    start: Callable[[bytes | None], Exchange]
    plaintext: bool
    client_first: bool
    initial_response: bool = True


def ask(data: bytes) -> Generator[Need, bytes | bool, bytes]:
    """Yield a challenge and return the client's response."""
    answer = yield Challenge(data)
    if not isinstance(answer, bytes):
        raise TypeError("a challenge is answered with octets")
    return answer


def judge(need: CheckPassword) -> Generator[Need, bytes | bool, Outcome]:
    """Yield the check of a password and return the outcome."""
    answer = yield need
    return Authenticated(need.login) if answer is True else Rejected("refused")
