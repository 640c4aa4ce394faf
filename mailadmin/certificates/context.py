"""Build the TLS context of a server (pure: no Django, no file on any disk).

A context is built and tried anew for each certificate and then swapped in: a live context that loads a pair of another
key type keeps serving the old leaf, and a refused pair leaves it without any.
"""

from __future__ import annotations

import os
import ssl
from typing import Final

# TLS 1.3 tickets a handshake (RFC 8446 §4.6.1). OpenSSL's default, spelled out: each one is a write of its own.
TICKETS: Final = 2


def server_context(chain_pem: str, key_pem: str) -> ssl.SSLContext:
    """Return a context that serves this certificate: TLS 1.2 or newer, no renegotiation, no compression.

    Args:
        chain_pem: the certificate chain, leaf first.
        key_pem: its private key, unencrypted.

    Raises:
        ssl.SSLError: the texts cannot be read, or the key belongs to another certificate.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2  # RFC 8997
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.num_tickets = TICKETS
    # `ssl` reads keys from paths only; a memfd has one, and lives in this process's memory alone.
    memory = os.memfd_create("certificate", os.MFD_CLOEXEC)
    try:
        with os.fdopen(memory, "wb", closefd=False) as file:
            file.write(f"{key_pem.rstrip()}\n{chain_pem}".encode("ascii"))
        # Without a password OpenSSL would ask the terminal for the one of an encrypted key.
        context.load_cert_chain(f"/proc/self/fd/{memory}", password="")
    finally:
        os.close(memory)
    return context
