"""Delivery by SMTP: through smarthosts, or directly to the servers that the recipients' domains name.

Both speak through a `Courier`; they differ in where the servers come from. A smarthost is the household's own choice:
any address will do, its certificate must hold, and what it refuses before MAIL can be repaired here, so mail waits. A
server found by MX is anybody's: private addresses are refused, TLS is opportunistic, a refusal by all of them is final.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final, Protocol

import structlog

from mailadmin.policy.snapshot import SmarthostPolicy
from mailadmin.queue.envelopes import ClaimedMessage, ClaimedRecipient, Verdict
from mailadmin.sealing import SealBrokenError, Sealer
from smtpd.smtp.client_actions import Trouble

from .agent import Body
from .courier import Courier, Job, internal_error
from .resolver import MxResolver, NoRoute
from .targets import MOST_ADDRESSES, Target
from .timeouts import Timeouts

MOST_DOMAINS: Final = 5  # that one message is carried to at the same time
PURPOSE: Final = "smarthost.password"

log = structlog.get_logger("smtpd.delivery")


class Way(Protocol):
    """Finds the servers for a domain."""

    by_domain: bool  # whether they depend on the domain
    repairable: bool  # see `Courier`

    async def targets(self, domain: str) -> Sequence[Target]:
        """Return the servers in the order in which they are to be tried.

        Raises:
            NoRoute: there are none, and that is decided.
            Trouble: they cannot be found now.
        """
        ...


class SmtpAgent:
    """Delivers through one way out; made by `for_smarthosts` or `for_mx`. Its connections are its own."""

    def __init__(self, way: Way, hostname: str, timeouts: Timeouts) -> None:
        self._way = way
        self._courier = Courier(hostname, timeouts, repairable=way.repairable)
        self._domains = asyncio.Semaphore(MOST_DOMAINS)

    @classmethod
    def for_smarthosts(
        cls, smarthosts: Sequence[SmarthostPolicy], *, sealer: Sealer, hostname: str, timeouts: Timeouts | None = None
    ) -> SmtpAgent:
        """Return an agent that hands everything to the first of `smarthosts` that takes it.

        Args:
            smarthosts: in the order in which they are tried.
            sealer: opens their passwords (purpose ``smarthost.password``).
            hostname: our name.
            timeouts: other limits than the usual ones.
        """
        return cls(_Smarthosts(smarthosts, sealer), hostname, timeouts or Timeouts())

    @classmethod
    def for_mx(
        cls, resolver: MxResolver, *, hostname: str, port: int = 25, timeouts: Timeouts | None = None
    ) -> SmtpAgent:
        """Return an agent that delivers directly.

        Args:
            resolver: finds the servers of a domain.
            hostname: our name.
            port: where those servers listen.
            timeouts: other limits than the usual ones.
        """
        return cls(_Direct(resolver, port), hostname, timeouts or Timeouts())

    async def deliver(
        self, message: ClaimedMessage, recipients: tuple[ClaimedRecipient, ...], body: Body
    ) -> Mapping[int, Verdict]:
        """Try to deliver; see `DeliveryAgent`."""
        groups: dict[str, list[ClaimedRecipient]] = defaultdict(list)
        for recipient in recipients:
            groups[recipient.domain if self._way.by_domain else ""].append(recipient)
        jobs = [(domain, self._courier.job(message, group, body)) for domain, group in groups.items()]
        await asyncio.gather(*(self._carry(domain, job) for domain, job in jobs))
        return {key: verdict for _, job in jobs for key, verdict in job.verdicts.items()}

    async def close(self) -> None:
        """Let go of kept connections."""
        await self._courier.close()

    async def _carry(self, domain: str, job: Job) -> None:
        """Decide all recipients of `job`; never raises."""
        try:
            async with self._domains:
                await self._courier.carry(job, await self._way.targets(domain))
        except NoRoute as decided:
            job.settle_all(decided.verdict)
        except Trouble as trouble:
            job.settle_all(trouble.verdict())
        except Exception:
            log.exception("a delivery broke off", domain=domain)
            job.settle_all(internal_error(domain))


class _Direct:
    """The servers that a domain names by MX."""

    by_domain = True
    repairable = False

    def __init__(self, resolver: MxResolver, port: int) -> None:
        self._resolver = resolver
        self._port = port

    async def targets(self, domain: str) -> Sequence[Target]:
        hosts = await self._resolver.hosts(domain)
        return [Target(host.name, host.address, self._port, "opportunistic") for host in hosts[:MOST_ADDRESSES]]


class _Smarthosts:
    """The household's smarthosts."""

    by_domain = False
    repairable = True

    def __init__(self, smarthosts: Sequence[SmarthostPolicy], sealer: Sealer) -> None:
        self._smarthosts = smarthosts
        self._sealer = sealer

    async def targets(self, domain: str) -> Sequence[Target]:
        del domain
        found: list[Target] = []
        trouble = Trouble("route", "No smarthost is set for this route.", "4.3.5")
        for smarthost in self._smarthosts:
            try:
                found.append(self._target(smarthost))
            except Trouble as met:
                log.warning("a smarthost is left out", host=smarthost.host, words=met.words)
                trouble = met
        if not found:
            raise trouble
        return found

    def _target(self, smarthost: SmarthostPolicy) -> Target:
        return Target(
            smarthost.host,
            smarthost.host,
            smarthost.port,
            smarthost.tls,
            smarthost.ca_pem,
            smarthost.username,
            self._password(smarthost),
        )

    def _password(self, smarthost: SmarthostPolicy) -> str:
        if not smarthost.password_sealed:
            return ""
        try:
            return self._sealer.open(smarthost.password_sealed, PURPOSE).decode()
        except SealBrokenError as error:
            words = f"The saved password for {smarthost.host} cannot be opened with this machine's key: enter it again."
            raise Trouble("auth", words, "4.3.5", reason="sealed") from error
