"""The cast's accounts behind the authenticator, in memory, and one way to run an exchange."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from functools import cache

from django.contrib.auth.hashers import BCryptSHA256PasswordHasher

from mailadmin.policy.snapshot import Snapshot
from smtpd.authenticate import Attempt, Authenticator, Failure, Step
from smtpd.identity import AccountRow
from tests import cast

COST = 4


@cache
def verifier(password: str, rounds: int = COST) -> str:
    """Return what Django stores for `password`."""
    hasher = BCryptSHA256PasswordHasher()
    hasher.rounds = rounds
    return hasher.encode(password, hasher.salt())


class Household:
    """Answers look-ups at once, or by a Future like a database across a network."""

    def __init__(self, *, rounds: int = COST, later: bool = False) -> None:
        self.rows = {
            person.address: AccountRow(
                number,
                person.address,
                verifier(person.password, rounds),
                person.suspended,
                1,
                frozenset({person.address}),
            )
            for number, person in enumerate(cast.ACCOUNTS, start=1)
        }
        self.later = later
        self.trouble: Exception | None = None

    def account_by_address(self, address: str) -> AccountRow | asyncio.Future[AccountRow | None] | None:
        """Return the account with this address."""
        if self.later:
            future: asyncio.Future[AccountRow | None] = asyncio.get_running_loop().create_future()
            if self.trouble is not None:
                future.set_exception(self.trouble)
            else:
                future.set_result(self.rows.get(address))
            return future
        if self.trouble is not None:
            raise self.trouble
        return self.rows.get(address)

    def change(self, person: cast.Person, **fields: object) -> None:
        """Change an account's row."""
        self.rows[person.address] = replace(self.rows[person.address], **fields)  # type: ignore[arg-type]  # any field


def snapshot(with_tls: Iterable[str] = ("PLAIN", "LOGIN"), without_tls: Iterable[str] = ()) -> Snapshot:
    """Return a policy with these mechanisms allowed."""
    return Snapshot(
        generation=1,
        hostname="mx.example.org",
        message_size_limit=1000,
        recipient_limit=10,
        queue_paused=False,
        give_up_after=timedelta(days=5),
        delay_notice_after=timedelta(hours=4),
        history_days=30,
        allow_private_destinations=False,
        mx_port=25,
        listeners=(),
        certificate=None,
        mechanisms_with_tls=frozenset(with_tls),
        mechanisms_without_tls=frozenset(without_tls),
    )


def plain(login: str, password: str, authzid: str = "") -> bytes:
    """Return PLAIN's one message, in base64."""
    return base64.b64encode(f"{authzid}\0{login}\0{password}".encode())


def begin(authenticator: Authenticator, mechanism: str = "PLAIN", source: str = "192.0.2.1") -> Attempt:
    """Begin an exchange that is allowed."""
    attempt = authenticator.begin(mechanism, snapshot(), tls=True, source=source)
    assert not isinstance(attempt, Failure)
    return attempt


async def run(attempt: Attempt, *responses: bytes | None) -> Step:
    """Send `responses` and return the last step."""
    step: Step | None = None
    for response in responses:
        answer = attempt.step(response)
        step = await answer if isinstance(answer, asyncio.Future) else answer
    assert step is not None
    return step
