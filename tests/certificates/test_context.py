"""The TLS context that listeners and the panel serve with."""

from __future__ import annotations

import os
import ssl
from datetime import datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat
from cryptography.hazmat.primitives.serialization import load_pem_private_key as load_key

from mailadmin.certificates import x509
from mailadmin.certificates.context import server_context
from tests.certificates.handshake import shake


@pytest.fixture
def pair(now: datetime) -> x509.Pair:
    """A certificate for localhost."""
    return x509.self_signed(["localhost"], now)


def _careless_client() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def test_it_serves_the_certificate(pair: x509.Pair) -> None:
    _, client = shake(server_context(pair.chain_pem, pair.key_pem), _careless_client(), "localhost")
    served = client.getpeercert(binary_form=True)
    assert served == ssl.PEM_cert_to_DER_cert(pair.chain_pem)
    assert client.version() == "TLSv1.3"


def test_tls_1_1_is_refused(pair: x509.Pair) -> None:
    client = _careless_client()
    with pytest.warns(DeprecationWarning, match="TLSv1 is deprecated"):
        client.minimum_version = ssl.TLSVersion.TLSv1
    with pytest.warns(DeprecationWarning, match="TLSv1_1 is deprecated"):
        client.maximum_version = ssl.TLSVersion.TLSv1_1
    client.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises(ssl.SSLError):
        shake(server_context(pair.chain_pem, pair.key_pem), client, "localhost")


def test_tls_1_2_works_without_compression(pair: x509.Pair) -> None:
    client = _careless_client()
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    serving, _ = shake(server_context(pair.chain_pem, pair.key_pem), client, "localhost")
    assert serving.version() == "TLSv1.2"
    assert serving.compression() is None


def test_renegotiation_and_compression_are_off_and_two_tickets_go_out(pair: x509.Pair) -> None:
    context = server_context(pair.chain_pem, pair.key_pem)
    assert context.options & ssl.OP_NO_RENEGOTIATION
    assert context.options & ssl.OP_NO_COMPRESSION
    assert context.num_tickets == 2


def test_the_key_of_another_certificate_is_refused(pair: x509.Pair, now: datetime) -> None:
    with pytest.raises(ssl.SSLError):
        server_context(pair.chain_pem, x509.self_signed(["localhost"], now).key_pem)


@pytest.mark.parametrize("text", ["", "nonsense"])
def test_what_is_no_pair_is_refused(pair: x509.Pair, text: str) -> None:
    with pytest.raises(ssl.SSLError):
        server_context(text, pair.key_pem)
    with pytest.raises(ssl.SSLError):
        server_context(pair.chain_pem, text)


def test_an_encrypted_key_is_refused_and_nobody_is_asked_for_its_password(pair: x509.Pair) -> None:
    key = load_key(pair.key_pem.encode(), password=None)
    locked = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")).decode()
    with pytest.raises(ssl.SSLError):
        server_context(pair.chain_pem, locked)


def test_no_descriptor_is_left_open(pair: x509.Pair) -> None:
    def number() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    before = number()
    for _ in range(5):
        server_context(pair.chain_pem, pair.key_pem)
        with pytest.raises(ssl.SSLError):
            server_context(pair.chain_pem, "nonsense")
    assert number() == before


def test_a_process_that_gave_up_root_can_still_build_one(pair: x509.Pair) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give up root")
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.setgroups([])
            os.setresgid(65534, 65534, 65534)
            os.setresuid(65534, 65534, 65534)
            server_context(pair.chain_pem, pair.key_pem)
            code = 0
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0
