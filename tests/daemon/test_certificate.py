"""A renewed certificate serves the next handshake, and one that does not work changes nothing."""

from __future__ import annotations

import socket
import ssl
import time
from contextlib import closing

import pytest

from mailadmin.certificates.context import server_context
from mailadmin.certificates.x509 import self_signed
from mailadmin.policy.snapshot import CertificatePolicy
from smtpd import tls
from tests import cast
from tests.daemon.processes import all_of, problems
from tests.ground.clock import Clock
from tests.ground.daemon import Product, wait_until

ROTATE = """
from datetime import UTC, datetime
from mailadmin.certificates import services
services.rotate(actor="command line", now=datetime.now(UTC))
"""


def served(port: int) -> bytes:
    """Return the certificate that a port shows which begins with TLS."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    plain = socket.create_connection(("127.0.0.1", port), timeout=10)
    with closing(plain), context.wrap_socket(plain) as encrypted:
        return encrypted.getpeercert(binary_form=True) or b""


def test_a_renewed_certificate_serves_the_next_handshake_and_open_connections_live_on(product: Product) -> None:
    product.start()
    port, before, processes = product.ports["submissions"], product.certificate, all_of(product)
    assert served(port) == ssl.PEM_cert_to_DER_cert(before)
    with product.client("submissions", cast.BECKY) as client:
        product.command("shell", "-c", ROTATE)
        begin = time.monotonic()
        wait_until(lambda: served(port) == ssl.PEM_cert_to_DER_cert(product.certificate), "the new one", pause=0.02)
        assert time.monotonic() - begin < 1.0
        assert product.certificate != before
        assert client.noop()[0] == 250
    assert all_of(product) == processes


def test_a_certificate_that_does_not_work_leaves_the_one_before_in_use_and_is_told(product: Product) -> None:
    product.start()
    before = product.certificate
    product.database.rows("UPDATE certificates_certificate SET chain_pem=%s", "no certificate at all")
    product.database.rows("UPDATE generation_generation SET number = number + 1")
    wait_until(lambda: "does not work" in problems(product, "worker"), "the problem is told")
    assert served(product.ports["submissions"]) == ssl.PEM_cert_to_DER_cert(before)
    product.command("shell", "-c", ROTATE)
    wait_until(lambda: problems(product, "worker") == "", "a good one ends the problem")
    assert served(product.ports["submissions"]) == ssl.PEM_cert_to_DER_cert(product.certificate)


def test_a_context_is_tried_before_it_is_taken(clock: Clock) -> None:
    one, other = self_signed(["one.test"], clock.now), self_signed(["other.test"], clock.now)
    mismatched = CertificatePolicy(1, one.chain_pem, other.key_pem)

    def opener(certificate: CertificatePolicy) -> ssl.SSLContext:
        return server_context(certificate.chain_pem, certificate.key_sealed)

    assert isinstance(tls.build(CertificatePolicy(1, one.chain_pem, one.key_pem), opener), ssl.SSLContext)
    for refused in (mismatched, CertificatePolicy(1, "", one.key_pem)):
        with pytest.raises(tls.RefusedPairError):
            tls.build(refused, opener)


def test_a_context_without_a_certificate_fails_its_trial() -> None:
    with pytest.raises(tls.RefusedPairError, match="handshake"):
        tls.tried(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
