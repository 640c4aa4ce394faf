"""How often passwords are checked for the panel: a bound for each client's network, and one for all at once.

It lives in this process's memory: the panel is one process with threads, and a restart forgives. An IPv6 client counts
as its /64, because a household or a guesser has a whole one.
"""

from __future__ import annotations

import ipaddress
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

WINDOW: Final = 300.0  # seconds
FAILURES: Final = 8  # within the window; then the network waits until the oldest is past
NETWORKS: Final = 10_000  # remembered; the longest silent goes first
CHECKS_AT_ONCE: Final = 2  # a check costs a quarter of a second of one core
PATIENCE: Final = 5.0  # seconds a request waits for its turn
_IPV6_NETWORK: Final = 64


class Busy(Exception):  # noqa: N818  # it is a state, not a fault
    """Too many passwords are being checked at this moment."""


def network(client: str) -> str:
    """Return what counts as one client: an IPv4 address, or the /64 of an IPv6 address."""
    try:
        address = ipaddress.ip_address(client)
    except ValueError:
        return client
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, _IPV6_NETWORK), strict=False))
    return str(address)


class Throttle:
    """Counts failures by network; `now` is any clock in seconds that never goes back.

    `patience` is for how many seconds a request waits for its turn.
    """

    def __init__(self, patience: float = PATIENCE) -> None:
        self.patience = patience
        self._failures: OrderedDict[str, list[float]] = OrderedDict()
        self._lock = threading.Lock()
        self._turns = threading.BoundedSemaphore(CHECKS_AT_ONCE)

    def wait(self, client: str, now: float) -> int:
        """Return for how many seconds `client` has to wait before the next try; 0: none."""
        with self._lock:
            recent = [at for at in self._failures.get(network(client), []) if at > now - WINDOW]
        return 0 if len(recent) < FAILURES else max(1, round(recent[-FAILURES] + WINDOW - now))

    def failed(self, client: str, now: float) -> None:
        """Count a wrong password of `client`."""
        key = network(client)
        with self._lock:
            recent = [at for at in self._failures.pop(key, []) if at > now - WINDOW]
            self._failures[key] = [*recent, now][-FAILURES:]
            while len(self._failures) > NETWORKS:
                self._failures.popitem(last=False)

    def forgive(self, client: str) -> None:
        """Forget the failures of `client`: it knew the password."""
        with self._lock:
            self._failures.pop(network(client), None)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Hold one of the few turns to check a password.

        Raises:
            Busy: none became free in time.
        """
        if not self._turns.acquire(timeout=self.patience):
            raise Busy
        try:
            yield
        finally:
            self._turns.release()
