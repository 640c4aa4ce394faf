"""Certificates for the delivery tests: a household's authority, and servers by it."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
import trustme

Tls = Callable[..., ssl.SSLContext]


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def ca_pem(authority: trustme.CA) -> str:
    return str(authority.cert_pem.bytes().decode())


@pytest.fixture(scope="session")
def tls(authority: trustme.CA) -> Tls:
    """Make a server's context: for localhost and by the authority, unless told otherwise."""

    def make(*names: str, by: trustme.CA | None = None, expired: bool = False) -> ssl.SSLContext:
        ends = datetime.now(UTC) - timedelta(days=1) if expired else None
        certificate = (by or authority).issue_cert(*(names or ("localhost", "127.0.0.1")), not_after=ends)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(context)
        return context

    return make


@pytest.fixture(params=["uvloop", "asyncio"])
def on_asyncio(request: pytest.FixtureRequest) -> bool:
    """Run a test on both loops."""
    return bool(request.param == "asyncio")
