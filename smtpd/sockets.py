"""Listening sockets: opened and kept by the supervisor, one per worker slot, for as long as the policy wants them.

A worker gets a duplicate; when it dies the socket lives on with the clients that wait in it. With one slot the socket
is exclusive, so that another program on the port is noticed; with several, ``SO_REUSEPORT`` spreads the connections,
and a trial bind without it notices the other program. A port that cannot be opened becomes a problem in words, is
tried again every few seconds, and hinders nothing else. What systemd has passed is used instead of binding.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

BACKLOG: Final = 1024
# Ports below this one take a capability, unless the system's settings say otherwise.
LOW_PORTS: Final = 1024


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address and a port to listen on; `name` is the listener's and not part of its identity."""

    name: str
    address: str
    port: int

    @property
    def key(self) -> tuple[str, int]:
        """What makes it the same endpoint after a change of policy."""
        return self.address, self.port

    @property
    def family(self) -> socket.AddressFamily:
        """The address family."""
        return socket.AF_INET6 if ":" in self.address else socket.AF_INET

    def __str__(self) -> str:
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"{host}:{self.port} ({self.name})"


def bound(endpoint: Endpoint, *, shared: bool) -> socket.socket:
    """Return a new socket bound to `endpoint`, not listening yet.

    IPPROTO_TCP is given explicitly: on a socket without it asyncio leaves TCP_NODELAY off, and every reply may wait
    for a delayed acknowledgement.

    Args:
        endpoint: where.
        shared: other sockets of ours are on the same port (SO_REUSEPORT).

    Raises:
        OSError: the port is taken, forbidden, or the address is not this machine's.
    """
    sock = socket.socket(endpoint.family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if endpoint.family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.setblocking(False)
        sock.bind((endpoint.address, endpoint.port))
    except BaseException:
        sock.close()
        raise
    return sock


def open_listening(endpoint: Endpoint, slots: int) -> list[socket.socket]:
    """Return `slots` listening sockets on `endpoint`.

    Raises:
        OSError: as `bound`.
    """
    if slots > 1:
        bound(endpoint, shared=False).close()
    opened: list[socket.socket] = []
    try:
        for _ in range(slots):
            sock = bound(endpoint, shared=slots > 1)
            opened.append(sock)
            sock.listen(BACKLOG)
    except BaseException:
        for sock in opened:
            sock.close()
        raise
    return opened


def words(endpoint: Endpoint, error: OSError) -> str:
    """Return what is wrong with `endpoint` and what to do, as a sentence."""
    if error.errno == errno.EADDRINUSE:
        return f"{endpoint}: another program uses this port. Stop it, or give the listener another port."
    if error.errno in {errno.EACCES, errno.EPERM} and endpoint.port < LOW_PORTS:
        return (
            f"{endpoint}: ports below {LOW_PORTS} need the right to bind them. Start the daemon as root or by its "
            "systemd unit (it drops all other rights), or use a higher port."
        )
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{endpoint}: this machine does not have this address."
    return f"{endpoint}: {os.strerror(error.errno or 0)}."


def no_ipv6_here(endpoint: Endpoint, error: OSError) -> bool:
    """Say whether `error` only means that the machine has no IPv6 while the listener would take any address of it."""
    absent = error.errno in {errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL}
    return endpoint.address == "::" and absent


class Ports:
    """The endpoints that are open, and the reasons why others are not."""

    def __init__(self, slots: int, activated: Iterable[tuple[str, socket.socket]] = ()) -> None:
        """Serve `slots` workers; `activated` are the listening sockets that systemd passed, by name."""
        self._slots = slots
        self._activated = [*activated]
        self._open: dict[tuple[str, int], list[socket.socket]] = {}
        self._lent: set[tuple[str, int]] = set()
        self._wanted: dict[tuple[str, int], Endpoint] = {}
        self.problems: dict[tuple[str, int], str] = {}

    def want(self, endpoints: Iterable[Endpoint]) -> list[Endpoint]:
        """Close what is not among `endpoints` any more and return it; `open_missing` opens the rest."""
        wanted = {endpoint.key: endpoint for endpoint in endpoints}
        closed = [self._wanted[key] for key in self._open if key not in wanted]
        for endpoint in closed:
            self._close(endpoint.key)
        self._wanted = wanted
        self.problems = {key: problem for key, problem in self.problems.items() if key in wanted}
        return closed

    def open_missing(self) -> list[Endpoint]:
        """Try to open what is wanted and not open; return what is newly open."""
        opened = []
        for key, endpoint in self._wanted.items():
            if key in self._open:
                continue
            try:
                self._open[key] = self._adopted(endpoint) or open_listening(endpoint, self._slots)
            except OSError as error:
                if not no_ipv6_here(endpoint, error):
                    self.problems[key] = words(endpoint, error)
                continue
            self.problems.pop(key, None)
            opened.append(endpoint)
        return opened

    def of_slot(self, slot: int) -> Iterator[tuple[Endpoint, socket.socket]]:
        """Yield each open endpoint with the socket of worker `slot`."""
        for key, sockets in self._open.items():
            yield self._wanted[key], sockets[slot % len(sockets)]

    def close(self) -> None:
        """Close everything, in a child that shall not hold it or at the end."""
        for key in [*self._open]:
            for sock in self._open.pop(key):
                sock.close()
        for _, sock in self._activated:
            sock.close()

    def _close(self, key: tuple[str, int]) -> None:
        """Let go of one endpoint; a socket of systemd's stays for a later generation."""
        sockets = self._open.pop(key)
        if key in self._lent:
            self._lent.discard(key)
            return
        for sock in sockets:
            # Takes the port from the duplicates in the workers, too, so that it can be bound again at once.
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()

    def _adopted(self, endpoint: Endpoint) -> list[socket.socket]:
        """Return systemd's sockets for `endpoint`: by the listener's name and family, else by port."""
        fitting = [(name, sock) for name, sock in self._activated if sock.family == endpoint.family]
        by_name = [sock for name, sock in fitting if name == endpoint.name]
        chosen = by_name or [sock for _, sock in fitting if sock.getsockname()[1] == endpoint.port]
        if chosen:
            self._lent.add(endpoint.key)
        return chosen[:1]
