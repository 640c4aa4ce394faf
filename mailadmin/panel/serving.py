"""gunicorn's threaded worker with bounds on the time that a client may hold a thread."""

from __future__ import annotations

import logging
import socket
import ssl
import struct
import sys
from types import FrameType
from typing import Any, Final

from gunicorn.workers.gthread import TConn, ThreadWorker

# Seconds that a client may be silent in the middle of a handshake or a request, or not read an answer.
PATIENCE: Final = 15


def without_slow_clients(record: logging.LogRecord) -> bool:
    """Say whether `record` may be logged: not when a client was too slow, which is no fault of ours."""
    kind = record.exc_info[0] if record.exc_info else None
    return kind is None or not issubclass(kind, (BlockingIOError, TimeoutError))


class PanelWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """Serves the panel."""

    def handle(self, conn: TConn) -> Any:
        """Handle what is on a connection, with a bound on every read and write.

        The kernel keeps the time, since gunicorn sets the socket to blocking and back by itself.
        """
        interval = struct.pack("@ll", PATIENCE, 0)
        try:
            for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
                conn.sock.setsockopt(socket.SOL_SOCKET, option, interval)
        except OSError:
            return False
        return super().handle(conn)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """End the streams of live pages with the worker, which would otherwise wait for them until it gives up."""
        live = sys.modules.get("mailadmin.panel.live")  # absent before the application is loaded
        if live is not None:
            live.BROADCASTER.stop()
        super().handle_exit(sig, frame)

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """Answer what cannot be served; a client that speaks no TLS, or breaks it off, is just closed."""
        if req is None and isinstance(exc, ssl.SSLError):
            return
        super().handle_error(req, client, addr, exc)
