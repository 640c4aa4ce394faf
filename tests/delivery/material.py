"""Messages, recipients and agents for the delivery tests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeVar

import uvloop

from mailadmin.policy.snapshot import SmarthostPolicy
from mailadmin.queue.envelopes import ClaimedMessage, ClaimedRecipient, Verdict
from mailadmin.sealing import Sealer, new_key
from smtpd.delivery.agent import Body, DeliveryAgent
from smtpd.delivery.smtp import PURPOSE, SmtpAgent
from smtpd.delivery.timeouts import Timeouts
from tests.cast import BECKY, ELSEWHERE, STRANGER

HOSTNAME = "mail.example.org"
TEXT = b"Subject: tea\r\n\r\nAt four?\r\n.\r\n..and cake\r\n"
# Short enough that a hanging server costs a test little, long enough for a busy machine.
SHORT = Timeouts(
    connect=2, tls=2, banner=0.4, hello=0.4, starttls=0.4, auth=0.4, reset=0.4, mail=0.4, rcpt=0.4, data=0.4, block=0.6,
    final=0.6, total=8, idle=5,
)  # fmt: skip
USUAL = Timeouts(total=30)

_T = TypeVar("_T")
_SEALER = Sealer([new_key()])


def run(work: Coroutine[Any, Any, _T], *, on_asyncio: bool = False) -> _T:
    """Run `work` on uvloop, as the daemon does, or on asyncio's own loop."""
    return asyncio.run(work) if on_asyncio else uvloop.run(work)


def recipient(
    address: str = STRANGER.address, number: int = 1, *, notify: str = "", orcpt: str = ""
) -> ClaimedRecipient:
    domain = address.rpartition("@")[2]
    return ClaimedRecipient(number, address, domain, notify, orcpt, attempts=0, delay_notified=False)


def recipients(count: int, domain: str = ELSEWHERE) -> tuple[ClaimedRecipient, ...]:
    return tuple(recipient(f"r{number}@{domain}", number) for number in range(1, count + 1))


def message(
    to: tuple[ClaimedRecipient, ...] | None = None,
    *,
    sender: str = BECKY.address,
    size: int = len(TEXT),
    smtputf8: bool = False,
    eight_bit: bool = False,
    envid: str = "",
    ret: str = "",
) -> ClaimedMessage:
    return ClaimedMessage(
        id=1,
        sender=sender,
        size=size,
        accepted_at=datetime(2026, 5, 4, 12, tzinfo=UTC),
        smtputf8=smtputf8,
        eight_bit=eight_bit,
        envid=envid,
        ret=ret,
        chunked=False,
        account=1,
        recipients=(recipient(),) if to is None else to,
    )


def body(*chunks: bytes) -> Body:
    """Return a body of these chunks (`TEXT` for none)."""

    async def open_anew() -> AsyncIterator[bytes]:
        for chunk in chunks or (TEXT,):
            yield chunk

    return open_anew


def smarthost(
    port: int, *, tls: str = "none", user: str = "", password: str = "", ca: str = "", host: str = "localhost"
) -> SmarthostPolicy:
    sealed = _SEALER.seal(password.encode(), PURPOSE) if password else ""
    return SmarthostPolicy(1, host, port, tls, user, sealed, ca)  # type: ignore[arg-type]  # tests name the kind of TLS


def agent(*smarthosts: SmarthostPolicy, timeouts: Timeouts = USUAL) -> SmtpAgent:
    return SmtpAgent.for_smarthosts(smarthosts, sealer=_SEALER, hostname=HOSTNAME, timeouts=timeouts)


async def deliver(
    to: DeliveryAgent, letter: ClaimedMessage | None = None, content: Body | None = None
) -> Mapping[int, Verdict]:
    """Deliver one message and close the agent."""
    letter = letter or message()
    try:
        return await to.deliver(letter, letter.recipients, content or body())
    finally:
        await to.close()


def send(
    to: DeliveryAgent, letter: ClaimedMessage | None = None, content: Body | None = None, *, on_asyncio: bool = False
) -> Mapping[int, Verdict]:
    """Deliver one message in a loop of its own."""
    return run(deliver(to, letter, content), on_asyncio=on_asyncio)


def one(verdicts: Mapping[int, Verdict]) -> Verdict:
    """Return the only verdict."""
    (verdict,) = verdicts.values()
    return verdict


def with_limits(**limits: float) -> Timeouts:
    """Return the usual limits with some others."""
    return replace(USUAL, **limits)
