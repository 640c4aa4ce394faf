"""A TLS handshake between two contexts, in memory."""

from __future__ import annotations

import ssl
from contextlib import suppress


def shake(server: ssl.SSLContext, client: ssl.SSLContext, name: str) -> tuple[ssl.SSLObject, ssl.SSLObject]:
    """Shake hands as a client that wants `name`; return the server's end and the client's.

    Raises:
        ssl.SSLError: one of the two refuses.
    """
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    serving = server.wrap_bio(to_server, to_client, server_side=True)
    asking = client.wrap_bio(to_client, to_server, server_hostname=name)
    for _flight in range(4):
        for end in (asking, serving):
            with suppress(ssl.SSLWantReadError):
                end.do_handshake()
    return serving, asking
