"""The line between the supervisor and a child: whole messages over a socketpair, with sockets passed along.

A message is one packet (``SOCK_SEQPACKET`` keeps the boundaries): JSON ``[kind, fields]`` that becomes one of the
dataclasses below. The supervisor may hold the right to bind low ports, so it never unpickles what a child says.
End of file on either end means that the other process is gone: a child then drains and ends, so that a killed
supervisor leaves no orphan on its ports.
"""

from __future__ import annotations

import array
import contextlib
import json
import socket
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Final, Self

# Octets of one packet: a few hundred listeners with their names fit.
PACKET_LIMIT: Final = 64 * 1024
# Sockets that may travel with one packet.
FD_LIMIT: Final = 1


@dataclass(frozen=True, slots=True)
class Want:
    """Child to supervisor: by generation `generation` these endpoints should be open ([name, address, port])."""

    generation: int
    endpoints: list[tuple[str, str, int]]


@dataclass(frozen=True, slots=True)
class Waiting:
    """Child to supervisor: it cannot serve yet, for this reason."""

    reason: str


@dataclass(frozen=True, slots=True)
class Pong:
    """Child to supervisor: its loop turns."""


@dataclass(frozen=True, slots=True)
class Ping:
    """Supervisor to child: answer with `Pong`."""


@dataclass(frozen=True, slots=True)
class Open:
    """Supervisor to child: accept on the listening socket that comes along."""

    address: str
    port: int


@dataclass(frozen=True, slots=True)
class Close:
    """Supervisor to child: stop accepting there."""

    address: str
    port: int


@dataclass(frozen=True, slots=True)
class Settled:
    """Supervisor to child: all that could be opened for its `Want` is open now."""

    generation: int


@dataclass(frozen=True, slots=True)
class Status:
    """Supervisor to one child, which writes it down: how the supervisor is."""

    pid: int
    started_at: str
    generation: int
    problems: list[str]


@dataclass(frozen=True, slots=True)
class Drain:
    """Supervisor to child: stop accepting, let busy sessions finish, end."""


Message = Want | Waiting | Pong | Ping | Open | Close | Settled | Status | Drain
KINDS: Final[dict[str, type[Message]]] = {
    kind.__name__: kind for kind in (Want, Waiting, Pong, Ping, Open, Close, Settled, Status, Drain)
}


class ChannelClosedError(Exception):
    """The other end is gone, or has not read for so long that the line is full."""


class NonsenseError(ChannelClosedError):
    """The other end says what is no message of ours."""


class Channel:
    """One end of the line."""

    def __init__(self, sock: socket.socket) -> None:
        """Take one end of a `SOCK_SEQPACKET` pair."""
        sock.setblocking(False)
        self._sock = sock

    @classmethod
    def pair(cls) -> tuple[Self, Self]:
        """Return the two ends of a new line."""
        one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        return cls(one), cls(other)

    def fileno(self) -> int:
        """Return the descriptor, for a selector or an event loop."""
        return self._sock.fileno()

    def send(self, message: Message, passed: socket.socket | None = None) -> None:
        """Send `message`, and with it a duplicate of the socket `passed`.

        Raises:
            ChannelClosedError: the other end is gone or does not read any more.
        """
        packet = json.dumps([type(message).__name__, asdict(message)]).encode()
        ancillary = []
        if passed is not None:
            ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [passed.fileno()]))]
        try:
            self._sock.sendmsg([packet], ancillary, socket.MSG_NOSIGNAL)
        except OSError as error:
            raise ChannelClosedError(str(error)) from error

    def receive(self) -> Iterator[tuple[Message, socket.socket | None]]:
        """Yield what has arrived.

        Raises:
            ChannelClosedError: the other end is gone.
        NonsenseError: a packet that is no message of ours.
        """
        while True:
            try:
                packet, fds, flags, _ = socket.recv_fds(self._sock, PACKET_LIMIT, FD_LIMIT, socket.MSG_CMSG_CLOEXEC)
            except BlockingIOError:
                return
            except OSError as error:
                raise ChannelClosedError(str(error)) from error
            passed = socket.socket(fileno=fds[0]) if fds else None
            if not packet:
                raise ChannelClosedError("end of file")
            if flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC):
                raise NonsenseError("a packet too long")
            try:
                message = _decode(packet)
            except ChannelClosedError:
                if passed is not None:
                    passed.close()
                raise
            yield message, passed

    def close(self) -> None:
        """Close this end."""
        with contextlib.suppress(OSError):
            self._sock.close()


def _decode(packet: bytes) -> Message:
    """Return the message that `packet` holds, or raise `NonsenseError`."""
    try:
        kind, fields = json.loads(packet)
        return KINDS[kind](**fields)
    except (ValueError, KeyError, TypeError) as error:
        raise NonsenseError("not a message of ours") from error


def endpoints_of(want: Want) -> Sequence[tuple[str, str, int]]:
    """Return the endpoints of `want` in their types.

    Raises:
        NonsenseError: one of them is not a name, an address and a port.
    """
    try:
        return [(str(name), str(address), int(port)) for name, address, port in want.endpoints]
    except (TypeError, ValueError) as error:
        raise NonsenseError("not an endpoint") from error
