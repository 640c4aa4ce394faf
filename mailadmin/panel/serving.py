"""gunicorn's threaded worker, with a bound on the time that a client may hold a thread.

gunicorn sets a socket to blocking before it reads a request. These sockets take that as "wait, but not for ever", so a
client that stalls in its handshake, its request or our answer gives the thread back. And what has been answered is
closed by the thread that answered.
"""

from __future__ import annotations

import logging
import socket
import ssl
import sys
from types import FrameType
from typing import Any, Final

from gunicorn.util import close_graceful
from gunicorn.workers.gthread import TConn, ThreadWorker

# Seconds that a client may be silent in the middle of something.
PATIENCE: Final = 10.0


class PatientSocket(socket.socket):
    """A socket that blocks for a while at most."""

    def setblocking(self, flag: bool, /) -> None:
        """Wait for a while at most where `flag` asks for waiting; a closed socket waits for nothing."""
        if self.fileno() >= 0:
            self.settimeout(PATIENCE if flag else 0.0)


class PatientTlsSocket(ssl.SSLSocket):
    """The same under TLS."""

    def setblocking(self, flag: bool, /) -> None:
        """Wait for a while at most where `flag` asks for waiting; a closed socket waits for nothing."""
        if self.fileno() >= 0:
            self.settimeout(PATIENCE if flag else 0.0)


def without_slow_clients(record: logging.LogRecord) -> bool:
    """Say whether `record` may be logged: not when a client was too slow, which is no fault of ours."""
    kind = record.exc_info[0] if record.exc_info else None
    return kind is None or not issubclass(kind, TimeoutError)


class PanelWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """Serves the panel."""

    def handle(self, conn: TConn) -> Any:
        """Handle what is on a connection, with patience but not without end."""
        if not isinstance(conn.sock, PatientSocket | PatientTlsSocket):
            conn.sock = PatientSocket(fileno=conn.sock.detach())
        kept = super().handle(conn)
        if not kept:
            # gunicorn would do it in its one accepting thread, and wait there for the client to close, too.
            close_graceful(conn.sock)
        return kept

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """End the streams of live pages with the worker, which would otherwise wait for them until it gives up."""
        live = sys.modules.get("mailadmin.panel.live")  # absent before the first page
        if live is not None:
            live.BROADCASTER.stop()
        super().handle_exit(sig, frame)

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """Answer what cannot be served; a client that speaks no TLS, or breaks it off, is just closed."""
        if req is None and isinstance(exc, ssl.SSLError):
            return
        super().handle_error(req, client, addr, exc)
