"""Accepts connections: plain ones by the loop's own server, those that begin with TLS by an acceptor of ours.

The loop's server takes one SSLContext for its whole life, and `loop.start_tls` right after `connection_made` loses the
ClientHello on uvloop, which may read it before TLS is there (measured). So a connection that begins with TLS is
accepted here and handed to `loop.connect_accepted_socket` with the context that is in force at that moment.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable
from typing import Final, Protocol

from smtpd import limits
from smtpd.sessions import SessionFactory
from smtpd.sessions.connection import Connection
from smtpd.sockets import BACKLOG

# Connections taken in one go before the loop gets its turn again.
BURST: Final = 64
# Seconds without accepting when the process is out of file descriptors or memory.
PAUSE: Final = 1.0
_EXHAUSTED: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class Door(Protocol):
    """Accepts connections until it is closed."""

    def close(self) -> None:
        """Accept no more; the open connections live on."""


async def serve(factory: Callable[[], SessionFactory], sock: socket.socket) -> Door:
    """Accept connections on the listening `sock`; `factory` returns what makes their sessions at that moment."""
    loop = asyncio.get_running_loop()
    if factory().implicit_tls:
        return TlsDoor(loop, sock, factory)

    def session() -> Connection:
        return factory()()

    return await loop.create_server(session, sock=sock, backlog=BACKLOG)


class TlsDoor:
    """Accepts connections whose first octets are a TLS handshake."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, sock: socket.socket, factory: Callable[[], SessionFactory]
    ) -> None:
        self._loop = loop
        self._sock = sock
        self._factory = factory
        self._handshakes: set[asyncio.Task[None]] = set()
        self._closed = False
        sock.setblocking(False)
        sock.listen(BACKLOG)
        loop.add_reader(sock.fileno(), self._ready)

    def close(self) -> None:
        """Accept no more; the open connections, and those in their handshake, live on."""
        if not self._closed:
            self._closed = True
            self._loop.remove_reader(self._sock.fileno())
            self._sock.close()

    def _ready(self) -> None:
        for _ in range(BURST):
            try:
                accepted, peer = self._sock.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno == errno.EINVAL:
                    # The supervisor has ended the listening, and its word for it is on the way.
                    self.close()
                    return
                if error.errno not in _EXHAUSTED:
                    raise
                self._loop.remove_reader(self._sock.fileno())
                self._loop.call_later(PAUSE, self._again)
                return
            accepted.setblocking(False)
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            session = self._factory()()
            if not session.admit(peer):
                # In the clear nothing can be said that such a client understands.
                accepted.close()
                continue
            task = self._loop.create_task(self._shake_hands(session, accepted))
            self._handshakes.add(task)
            task.add_done_callback(self._handshakes.discard)

    def _again(self) -> None:
        if not self._closed:
            self._loop.add_reader(self._sock.fileno(), self._ready)

    async def _shake_hands(self, session: Connection, accepted: socket.socket) -> None:
        context = session.runtime.tls
        try:
            if context is None:
                raise ConnectionError("there is no certificate")
            await self._loop.connect_accepted_socket(
                lambda: session,
                accepted,
                ssl=context,
                ssl_handshake_timeout=limits.HANDSHAKE_TIME,
                ssl_shutdown_timeout=limits.GOODBYE_TIME,
            )
        except (OSError, EOFError, RuntimeError) as error:
            # ssl.SSLError is an OSError; uvloop raises RuntimeError for a transport that closed meanwhile.
            session.handshake_failed(error)
            session.leave()
            accepted.close()
