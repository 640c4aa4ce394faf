"""Which IP addresses direct delivery may connect to (pure).

Mail for other people goes over the public Internet. A domain that points to a loopback, private, link-local or
otherwise special address is a mistake or an attempt to have this server reach into its own network.
"""

from __future__ import annotations

import ipaddress
from typing import Final

_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052 §2.1


def is_public(text: str) -> bool:
    """Whether `text` is an address of the public Internet; IPv4 hidden in an IPv6 address counts as itself."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address):
        hidden = address.ipv4_mapped or address.sixtofour or _translated(address)
        if hidden is not None:
            address = hidden
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def _translated(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF) if address in _NAT64 else None
