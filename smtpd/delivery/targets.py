"""Servers to deliver to, and where they are."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from dataclasses import dataclass, field
from typing import Final

from smtpd.smtp.client import TlsMode
from smtpd.smtp.client_actions import Trouble

MOST_ADDRESSES: Final = 5  # that are tried for one domain or one host name in one attempt


@dataclass(frozen=True, slots=True)
class Target:
    """One server, and how to speak to it.

    Args:
        name: its host name, for TLS and for people.
        address: where it is: an IP address, a host name that the system knows, or the path of a unix socket.
        port: 0 for a unix socket.
        tls: see `TlsMode`; `starttls` and `implicit` verify the certificate.
        ca_pem: authorities to trust beside the system's.
        username: for AUTH, or empty.
        password: for AUTH.
        lmtp: whether to speak LMTP.
    """

    name: str
    address: str
    port: int
    tls: TlsMode = "none"
    ca_pem: str = ""
    username: str = ""
    password: str = field(default="", repr=False)
    lmtp: bool = False

    def peer(self, address: str = "") -> str:
        """Return the server as verdicts and pages name it, with its IP address once that is known."""
        if not self.port:
            return self.address
        known = address or (self.address if self.address != self.name else "")
        return f"{self.name}[{known}]:{self.port}" if known else f"{self.name}:{self.port}"


async def addresses(target: Target, seconds: float) -> list[str]:
    """Return where to connect: what the system knows of a host name (its hosts file included), at most five.

    Raises:
        Trouble: the name is not known, or cannot be looked up now.
    """
    if not target.port or _is_ip(target.address):
        return [target.address]
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(seconds):
            found = await loop.getaddrinfo(target.address, target.port, type=socket.SOCK_STREAM)
    except TimeoutError:
        words = f"The name {target.address} could not be looked up within {seconds:.0f} seconds."
        raise Trouble("resolve", words, "4.4.3", reason="timeout") from None
    except (OSError, UnicodeError) as error:
        detail = error.strerror if isinstance(error, OSError) and error.strerror else "it is not a host name"
        words = f"No server named {target.address} can be found: {detail}."
        raise Trouble("resolve", words, "4.4.3", reason="unknown-host") from error
    return list(dict.fromkeys(str(address[0]) for *_, address in found))[:MOST_ADDRESSES]


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
