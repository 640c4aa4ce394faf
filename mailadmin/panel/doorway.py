"""The sockets of the panel, bound before anything is started: a taken port is told at once, in words.

They stay open while the panel's processes are started again, so a browser waits instead of being refused.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Sequence
from typing import Final

BACKLOG: Final = 128
_NO_IPV6: Final = {errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL}


class PortTakenError(Exception):
    """A port cannot be used; the text says why and what to do."""


def bound(addresses: Sequence[str], port: int, flag: str) -> list[socket.socket]:
    """Return listening sockets on `port` of each of `addresses`; IPv6 ones are left out on a machine without IPv6.

    Args:
        addresses: IPv4 and IPv6 addresses.
        port: the TCP port.
        flag: the command line's flag that changes the port, for the words.

    Raises:
        PortTakenError: it is in use or forbidden.
    """
    sockets: list[socket.socket] = []
    try:
        for address in addresses:
            try:
                sockets.append(_listening(address, port))
            except OSError as error:
                if ":" in address and error.errno in _NO_IPV6:
                    continue
                raise PortTakenError(_words(error, port, flag)) from error
    except BaseException:
        for sock in sockets:
            sock.close()
        raise
    return sockets


def _listening(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind((address, port))
        sock.listen(BACKLOG)
    except BaseException:
        sock.close()
        raise
    return sock


def _words(error: OSError, port: int, flag: str) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"Port {port} is in use: mailadmin may be running already, or another program has it. "
            f"Stop that, or choose another port with {flag}."
        )
    if error.errno in {errno.EACCES, errno.EPERM}:
        return f"Port {port} may only be used by root. Choose one from 1024 up with {flag}."
    return f"Port {port} cannot be used: {error.strerror}. Choose another one with {flag}."
