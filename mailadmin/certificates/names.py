"""The names under which this machine is reached, as far as it knows itself."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterator
from contextlib import suppress

from mailadmin.accounts.addresses import AddressError, normal_domain

# Documentation addresses (RFC 5737, RFC 3849): a UDP socket that is "connected" to one sends nothing, but the kernel
# says from which address of this machine it would.
_ELSEWHERE = ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"))


def of_machine(hostname: str) -> list[str]:
    """Return the names for a certificate of the server `hostname` on this machine, that one first.

    They are the host's own name and full name, localhost, the loopback addresses, and the addresses that others use.
    """
    names = [hostname, socket.gethostname(), socket.getfqdn(), "localhost"]
    addresses = ["127.0.0.1", "::1", *_addresses()]
    return list(dict.fromkeys([*_usable(names), *addresses]))


def _usable(names: list[str]) -> Iterator[str]:
    for name in names:
        with suppress(ValueError):  # a host may be named as its address
            yield str(ipaddress.ip_address(name))
            continue
        with suppress(AddressError):
            yield normal_domain(name)


def _addresses() -> Iterator[str]:
    found = [*_of_own_name(), *_of_way_out()]
    for text in found:
        address = ipaddress.ip_address(text.partition("%")[0])
        if not (address.is_loopback or address.is_link_local or address.is_unspecified):
            yield str(address)


def _of_own_name() -> list[str]:
    with suppress(OSError):
        return [str(entry[4][0]) for entry in socket.getaddrinfo(socket.gethostname(), None)]
    return []


def _of_way_out() -> list[str]:
    found = []
    for family, elsewhere in _ELSEWHERE:
        with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((elsewhere, 9))
            found.append(str(probe.getsockname()[0]))
    return found
