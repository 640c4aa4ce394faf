"""The TLS context of the certificate in use: built anew for a new certificate, tried, and only then taken.

A live context is never reloaded: it would keep an old leaf of another key type, and a refused pair would leave it
without any. A pair that does not work leaves the old context in force and a problem in words.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable

from mailadmin.policy.snapshot import CertificatePolicy

# Unseals the key and loads the pair.
Opener = Callable[[CertificatePolicy], ssl.SSLContext]


class RefusedPairError(Exception):
    """A certificate and its key do not make a context that works."""


def tried(context: ssl.SSLContext) -> ssl.SSLContext:
    """Return `context` after a handshake in memory has succeeded with it.

    Raises:
        RefusedPairError: no client could connect with it.
    """
    client_context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client_context.check_hostname = False
    client_context.verify_mode = ssl.CERT_NONE
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context.wrap_bio(to_client, to_server)
    server = context.wrap_bio(to_server, to_client, server_side=True)
    # TLS 1.3 takes two flights each way, TLS 1.2 three.
    for _ in range(4):
        done = [_advanced(side) for side in (client, server)]
        if all(done):
            return context
    raise RefusedPairError("a handshake does not come to its end")


def _advanced(side: ssl.SSLObject) -> bool:
    """Take one side of the handshake as far as it goes; say whether it is done."""
    try:
        side.do_handshake()
    except ssl.SSLWantReadError:
        return False
    except ssl.SSLError as error:
        raise RefusedPairError(f"a handshake fails: {error.reason or error}") from error
    return True


def build(certificate: CertificatePolicy, opener: Opener) -> ssl.SSLContext:
    """Return a context for `certificate` that has been tried.

    Raises:
        RefusedPairError: the key does not open, the pair does not load, or a handshake fails.
    """
    try:
        return tried(opener(certificate))
    except RefusedPairError:
        raise
    # Whatever is wrong with stored material must not end the process that serves the old certificate.
    except Exception as error:
        raise RefusedPairError(f"{type(error).__name__}: {error}") from error
