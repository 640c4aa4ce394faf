"""Finds the servers that take mail for a domain (RFC 5321 §5.1, RFC 7505).

The MX records say who takes mail, in order of preference, and equals in random order; a domain without MX takes it
itself. If we are among them, only those that are preferred to us are tried, else mail would go round in circles. Each
server is looked up as IPv6 and IPv4, which take turns, so that one broken family costs one try and not all of them.

Addresses of this machine and of private networks are refused unless the settings allow them: otherwise anybody with a
domain could have this server connect to what only it can reach.

DNS answers are kept as long as they say (by dnspython's cache, bounded). The system's name servers are read again after
a failed look-up, since a machine may start before its network.
"""

from __future__ import annotations

import asyncio
import ipaddress
import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, groupby, zip_longest
from typing import Final

import dns.asyncresolver
import dns.exception
import dns.name
import dns.rdatatype
import dns.resolver
from dns.rdtypes.ANY.MX import MX

from mailadmin.queue.envelopes import Verdict
from smtpd.smtp.client_actions import Trouble

from .reachable import is_public

CACHED: Final = 2000
MOST_LOOKED_UP: Final = 10  # servers of one domain


class NoRoute(Exception):  # noqa: N818  # a decision, not an error
    """Nobody takes mail for this domain, and that is final; `verdict` says why."""

    def __init__(self, words: str, enhanced: str, stage: str = "resolve") -> None:
        super().__init__(words)
        self.verdict = Verdict("failed", stage, 0, enhanced, words)


@dataclass(frozen=True, slots=True)
class Host:
    """A server to try: its name, or the address literal, and one of its IP addresses."""

    name: str
    address: str


class MxResolver:
    """Answers who takes mail for a domain.

    Args:
        hostname: our name, to find ourselves among the servers.
        allow_private: accept addresses of this machine and of private networks.
        nameservers: IP addresses of name servers instead of the system's.
        port: where those listen.
        seconds: limit of one look-up.
        rng: shuffles servers of equal preference.
    """

    def __init__(
        self,
        *,
        hostname: str,
        allow_private: bool,
        nameservers: Sequence[str] = (),
        port: int = 53,
        seconds: float = 20,
        rng: random.Random | None = None,
    ) -> None:
        self._own_name = _lower(hostname)
        self._allow_private = allow_private
        self._nameservers = list(nameservers)
        self._port = port
        self._seconds = seconds
        self._rng = rng or random.SystemRandom()
        self._cache = dns.resolver.LRUCache(CACHED)
        self._dns: dns.asyncresolver.Resolver | None = None

    async def hosts(self, domain: str) -> list[Host]:
        """Return the servers for `domain` (in A-labels, or an address literal in brackets), the best first.

        Raises:
            NoRoute: it takes no mail, or there is no way to it.
            Trouble: DNS gives no answer now.
        """
        if domain.startswith("["):
            return self._literal(domain)
        names = await self._names(domain)
        looked_up = await asyncio.gather(*(self._addresses(name) for name in names[:MOST_LOOKED_UP]))
        found = [
            Host(name, address) for name, (addresses, _) in zip(names, looked_up, strict=False) for address in addresses
        ]
        if found:
            return self._allowed(found, domain)
        trouble = next((trouble for _, trouble in looked_up if trouble is not None), None)
        if trouble is not None:
            raise trouble
        raise NoRoute(f"The domain {domain} names no mail server that has an address.", "5.4.4")

    async def _names(self, domain: str) -> list[str]:
        """Return the names of the servers in the order in which to try them."""
        try:
            answer = await self._look_up(domain, dns.rdatatype.MX)
        except dns.resolver.NXDOMAIN:
            raise NoRoute(f"The domain {domain} does not exist.", "5.1.2") from None
        records = [record for record in answer or () if isinstance(record, MX)]
        if not records:
            if _lower(domain) == self._own_name:
                raise _loop(domain)
            return [_lower(domain)]
        real = [(record.preference, _lower(record.exchange.to_text())) for record in records]
        real = [(preference, name) for preference, name in real if name]
        if not real:  # RFC 7505 §3
            raise NoRoute(f"The domain {domain} says that it takes no mail (null MX).", "5.1.10")
        ours = min((preference for preference, name in real if name == self._own_name), default=None)
        better = sorted(pair for pair in real if ours is None or pair[0] < ours)
        if not better:
            raise _loop(domain)
        return self._in_order(better)

    def _in_order(self, pairs: list[tuple[int, str]]) -> list[str]:
        """Return the names by preference, equal ones shuffled, which spreads the load (RFC 5321 §5.1)."""
        names: list[str] = []
        for _, equals in groupby(pairs, key=lambda pair: pair[0]):
            group = [name for _, name in equals]
            self._rng.shuffle(group)
            names += group
        return list(dict.fromkeys(names))

    async def _addresses(self, name: str) -> tuple[list[str], Trouble | None]:
        """Return the addresses of a server, IPv6 and IPv4 by turns, or why they are not known now."""
        six, four = await asyncio.gather(self._records(name, dns.rdatatype.AAAA), self._records(name, dns.rdatatype.A))
        addresses = [address for address in chain.from_iterable(zip_longest(six[0], four[0])) if address]
        return addresses, None if addresses else six[1] or four[1]

    async def _records(self, name: str, kind: dns.rdatatype.RdataType) -> tuple[list[str], Trouble | None]:
        try:
            answer = await self._look_up(name, kind)
        except dns.resolver.NXDOMAIN:
            return [], None
        except NoRoute:  # a server's name that cannot be one
            return [], None
        except Trouble as trouble:
            return [], trouble
        return [record.to_text() for record in answer or ()], None

    async def _look_up(self, name: str, kind: dns.rdatatype.RdataType) -> dns.resolver.Answer | None:
        """Ask DNS; CNAMEs are followed.

        Raises:
            dns.resolver.NXDOMAIN: the name does not exist.
            NoRoute: it cannot be a name.
            Trouble: there is no answer now.
        """
        try:
            absolute = dns.name.from_text(name, dns.name.root)
            resolver = await self._resolver()
            return await resolver.resolve(
                absolute, kind, raise_on_no_answer=False, lifetime=self._seconds, search=False
            )
        except dns.resolver.NXDOMAIN:
            raise
        except (dns.name.LabelTooLong, dns.name.NameTooLong, dns.name.EmptyLabel, dns.name.BadEscape, UnicodeError):
            raise NoRoute(f"{name} cannot be the name of a domain.", "5.1.2") from None
        except (dns.exception.DNSException, OSError, EOFError) as error:
            self._dns = None
            words = f"DNS gives no answer about {name} ({dns.rdatatype.to_text(kind)}): {_why(error)}."
            raise Trouble("resolve", words, "4.4.3", reason="dns") from error

    async def _resolver(self) -> dns.asyncresolver.Resolver:
        if self._dns is None:
            self._dns = await asyncio.to_thread(self._configured)
        return self._dns

    def _configured(self) -> dns.asyncresolver.Resolver:
        resolver = dns.asyncresolver.Resolver(configure=not self._nameservers)
        if self._nameservers:
            resolver.nameservers = list(self._nameservers)
            resolver.port = self._port
        resolver.cache = self._cache
        return resolver

    def _literal(self, domain: str) -> list[Host]:
        """Return the host that an address literal such as ``[192.0.2.1]`` or ``[IPv6:…]`` means (RFC 5321 §4.1.3)."""
        text = domain[1:].removesuffix("]")
        six = text[:5].lower() == "ipv6:"
        try:
            address = ipaddress.ip_address(text[5:] if six else text)
        except ValueError:
            raise NoRoute(f"{domain} is not an address literal.", "5.1.2") from None
        return self._allowed([Host(str(address), str(address))], domain)

    def _allowed(self, hosts: list[Host], domain: str) -> list[Host]:
        allowed = [host for host in hosts if self._allow_private or is_public(host.address)]
        if not allowed:
            words = (
                f"The mail server of {domain} has only private addresses, such as {hosts[0].address}; "
                "direct delivery to those is off (Settings, Delivery)."
            )
            raise NoRoute(words, "5.4.4")
        return allowed


def _loop(domain: str) -> NoRoute:
    words = f"DNS says that this server itself takes mail for {domain}, but {domain} is not among its domains."
    return NoRoute(words, "5.4.6", "loop")


def _lower(name: str) -> str:
    return name.rstrip(".").lower()


def _why(error: Exception) -> str:
    if isinstance(error, dns.resolver.NoResolverConfiguration):
        return "this machine has no name server set"
    if isinstance(error, dns.resolver.NoNameservers):
        return "the name servers could not answer"
    if isinstance(error, dns.exception.Timeout):
        return "the time is over"
    return type(error).__name__
