"""The TLS context of the panel: that of the certificate in use, looked up a few times a second at most.

Every connection asks for it, so a certificate that was renewed serves the next handshake.
"""

from __future__ import annotations

import logging
import ssl
import threading
import time
from typing import Final

from django.db import Error, connection

from mailadmin.certificates import services
from mailadmin.certificates.context import server_context
from mailadmin.certificates.models import Certificate
from mailadmin.panel.serving import PatientTlsSocket

LOOK_EVERY: Final = 0.25  # seconds

log = logging.getLogger("mailadmin.panel")


class Rotation:
    """Keeps the context, and makes another one when the certificate changes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._context: ssl.SSLContext | None = None
        self._certificate: int | None = None
        self._looked = 0.0

    def current(self) -> ssl.SSLContext:
        """Return the context to use now.

        A certificate that does not work, or a database that does not answer, leaves the context before in use.

        Raises:
            ssl.SSLError: there is none yet.
        """
        with self._lock:
            if time.monotonic() - self._looked >= LOOK_EVERY:
                self._look()
                self._looked = time.monotonic()
            if self._context is None:
                raise ssl.SSLError("there is no certificate")
            return self._context

    def _look(self) -> None:
        try:
            newest = Certificate.objects.filter(in_use=True).order_by("-id").values_list("id", flat=True).first()
            if newest is None or newest == self._certificate:
                return
            certificate = Certificate.objects.get(pk=newest)
            context = server_context(certificate.chain_pem, services.open_key(certificate))
            context.sslsocket_class = PatientTlsSocket
            self._context = context
            self._certificate = newest
        except Error as error:
            connection.close()
            log.warning("the certificate cannot be looked up: %s", error)
        # A stored pair may be wrong in many ways; none of them may take the panel away, where it is mended.
        except Exception:
            log.exception("the certificate in use does not work; the one before stays")
            self._certificate = newest


_rotation = Rotation()


def current() -> ssl.SSLContext:
    """Return the context of the certificate in use (see `Rotation.current`)."""
    return _rotation.current()
