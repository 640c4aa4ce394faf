"""Carries a message to the first of several servers that takes it: what SMTP and LMTP agents have in common.

Servers are tried in order. One that cannot be reached, refuses the session or has no time (421) passes those recipients
that it did not decide on to the next; when none is left they are deferred with the words of the last. A server that
*answered* about a recipient has decided: no other is asked in this try.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Final

import structlog

from mailadmin.queue.envelopes import ClaimedMessage, ClaimedRecipient, Verdict
from smtpd.smtp.client_actions import Trouble
from smtpd.smtp.client_features import Features
from smtpd.smtp.client_transaction import Ending, Transaction

from .agent import Body
from .connection import Connection, guarded, opened
from .pool import Pool, Slots
from .targets import Target
from .timeouts import Timeouts
from .tls import Contexts

MOST_RECIPIENTS: Final = 100  # in one transaction: what every server must take (RFC 5321 §4.5.3.1.8)
_HEADER_LOOK: Final = 256 * 1024  # octets within which the end of the header is looked for

log = structlog.get_logger("smtpd.delivery")


@dataclass(slots=True)
class Job:
    """A message on its way to some recipients: what was decided so far, and what must be decided yet."""

    message: ClaimedMessage
    open: list[ClaimedRecipient]
    body: Body
    deadline: float
    verdicts: dict[int, Verdict]

    def settle(self, verdicts: dict[int, Verdict]) -> None:
        """Take over `verdicts`."""
        self.verdicts |= verdicts
        self.open = [recipient for recipient in self.open if recipient.id not in verdicts]

    def settle_all(self, verdict: Verdict) -> None:
        """Give everyone who is still open the same verdict."""
        self.settle({recipient.id: verdict for recipient in self.open})


class Courier:
    """Opens, uses and keeps connections.

    Args:
        hostname: our name.
        timeouts: the limits.
        repairable: a refusal of the session is for the household to repair: mail waits instead of failing.
    """

    def __init__(self, hostname: str, timeouts: Timeouts, *, repairable: bool) -> None:
        self._hostname = hostname
        self._timeouts = timeouts
        self._repairable = repairable
        self._contexts = Contexts()
        self._pool = Pool(timeouts.idle)
        self._slots = Slots()

    def job(self, message: ClaimedMessage, recipients: Sequence[ClaimedRecipient], body: Body) -> Job:
        """Return a job with nothing decided, whose time begins now."""
        deadline = asyncio.get_running_loop().time() + self._timeouts.total
        return Job(message, list(recipients), body, deadline, {})

    async def carry(self, job: Job, targets: Sequence[Target]) -> None:
        """Decide every recipient of `job` at one of `targets`, which are tried in order; never raises."""
        trouble = Trouble("connect", "There is no server to try.", "4.4.1")
        refused_everywhere = bool(targets)
        for target in targets:
            try:
                async with self._slots.slot(target, job.deadline):
                    await self._attempt(job, target)
            except Trouble as met:
                trouble = met
                trouble.peer = trouble.peer or target.peer()
                refused_everywhere = refused_everywhere and met.permanent
                log.info("a server did not take mail", peer=trouble.peer, stage=trouble.stage, words=trouble.words)
            except Exception:
                log.exception("a delivery broke off", peer=target.peer())
                job.settle_all(internal_error(target.peer()))
                return
            else:
                return
        job.settle_all(trouble.verdict(fail=refused_everywhere and not self._repairable))

    async def close(self) -> None:
        """Leave the kept connections."""
        self._pool.close()
        await asyncio.sleep(0)  # QUIT goes out

    async def _attempt(self, job: Job, target: Target) -> None:
        """Try one server, over a kept connection first.

        Raises:
            Trouble: some recipients are still open.
        """
        kept = self._pool.take(target)
        if kept is not None:
            kept.deadline = job.deadline
            try:
                await self._use(job, target, kept)
            except Trouble as stale:
                # A kept connection may have gone stale in any way; only a new one says how the server is.
                log.debug("a kept connection was of no use", peer=target.peer(), words=stale.words)
            if not job.open:
                return
        connection = await opened(
            target, self._hostname, timeouts=self._timeouts, contexts=self._contexts, deadline=job.deadline
        )
        await self._use(job, target, connection)

    async def _use(self, job: Job, target: Target, connection: Connection) -> None:
        """Carry the message over `connection`, in as many transactions as its limit of recipients needs."""
        usable = False
        try:
            while job.open:
                ending = await self._transaction(job, target, connection)
                usable = ending.usable and not connection.closed
                job.settle({key: _signed(verdict, connection) for key, verdict in ending.verdicts.items()})
                if ending.trouble is not None:
                    raise ending.trouble
                if not usable and job.open:
                    raise Trouble("connect", "The server ended the session before all recipients had their turn.")
        finally:
            if usable:
                self._pool.keep(target, connection)
            else:
                connection.abort()

    async def _transaction(self, job: Job, target: Target, connection: Connection) -> Ending:
        features = connection.features
        limit = min(features.limit("RCPTMAX") or MOST_RECIPIENTS, MOST_RECIPIENTS)
        # In clear after a failed handshake, 530 may ask for the TLS that failed: that is no reason to return mail.
        without_tls = "STARTTLS" in features and not connection.tls
        transaction = Transaction(
            await _as_sendable(job.message, features, job.body),
            job.open[:limit],
            features,
            lmtp=target.lmtp,
            reset=connection.dirty,
            repairable=self._repairable or without_tls,
        )
        connection.messages += 1
        ending = await connection.run(transaction.run(), job.body)
        connection.dirty = ending.dirty
        return ending


async def _as_sendable(message: ClaimedMessage, features: Features, body: Body) -> ClaimedMessage:
    """Return `message`, without SMTPUTF8 where the server lacks it and nothing in the message needs it.

    Many clients ask for SMTPUTF8 whenever it is offered. What needs it are addresses (looked at by the transaction) and
    a header with octets beyond ASCII (RFC 6531 §1.2).
    """
    if message.smtputf8 and "SMTPUTF8" not in features and await _header_is_ascii(body):
        return replace(message, smtputf8=False)
    return message


async def _header_is_ascii(body: Body) -> bool:
    start = b""
    async with aclosing(guarded(body)) as chunks:
        async for chunk in chunks:
            start += chunk
            if b"\r\n\r\n" in start or len(start) > _HEADER_LOOK:
                break
    header, end, _ = start.partition(b"\r\n\r\n")
    return header.isascii() and (bool(end) or len(start) <= _HEADER_LOOK)


def internal_error(peer: str) -> Verdict:
    """Return the verdict for a fault of our own: the mail waits, the log says more."""
    words = "An internal error; the daemon's log says more. The mail waits."
    return Verdict("deferred", "connect", 0, "4.3.0", words, peer)


def _signed(verdict: Verdict, connection: Connection) -> Verdict:
    return replace(verdict, peer=verdict.peer or connection.peer, tls=verdict.tls or connection.tls)
