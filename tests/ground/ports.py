"""Free ports on loopback, below the range from which the kernel takes ports for outgoing connections.

A port from that range could be taken by any client between our look and the server's start. Each process of a
parallel run looks in a stretch of its own.
"""

from __future__ import annotations

import itertools
import os
import socket
from collections.abc import Iterator
from typing import Final

FIRST: Final = 12_000
STRETCH: Final = 1_000
STRETCHES: Final = 18


def _ports() -> Iterator[int]:
    start = FIRST + os.getpid() % STRETCHES * STRETCH
    return itertools.cycle(range(start, start + STRETCH))


_next = _ports()


def _is_free(port: int) -> bool:
    """Whether nobody listens on `port`, be it by IPv4 or IPv6."""
    for family, host in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):  # noqa: S104  # bound for a moment
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            try:
                probe.bind((host, port))
                probe.listen(1)
            except OSError:
                return False
    return True


def free_port() -> int:
    """Return a port on which nobody listens and that this process has not given out lately."""
    for _ in range(STRETCH):
        port = next(_next)
        if _is_free(port):
            return port
    raise RuntimeError("no free port on this machine")
