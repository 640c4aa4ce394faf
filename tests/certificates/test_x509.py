"""Certificates, made and read."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from datetime import datetime, timedelta

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from mailadmin.certificates import x509

NAMES = ["mail.example.org", "localhost", "127.0.0.1", "::1"]


def test_a_self_signed_certificate_says_what_it_was_made_for(now: datetime) -> None:
    description = x509.describe(x509.self_signed(NAMES, now).chain_pem)
    assert description.names == tuple(NAMES)
    assert description.subject == description.issuer == "CN=mail.example.org"
    assert description.self_signed
    assert description.key == "EC secp256r1"
    assert description.not_after == now + timedelta(days=365)
    assert now - timedelta(days=2) < description.not_before < now


def test_two_certificates_share_neither_key_nor_fingerprint(now: datetime) -> None:
    one, other = x509.self_signed(NAMES, now), x509.self_signed(NAMES, now)
    assert one.key_pem != other.key_pem
    assert x509.describe(one.chain_pem).fingerprint != x509.describe(other.chain_pem).fingerprint


def test_the_key_belongs_to_the_certificate(now: datetime) -> None:
    pair = x509.self_signed(NAMES, now)
    key = load_pem_private_key(pair.key_pem.encode(), password=None)
    assert key.public_key() == x509.load_chain(pair.chain_pem)[0].public_key()


@pytest.mark.skipif(not shutil.which("openssl"), reason="the openssl program is not here")
def test_openssl_sees_the_same_fingerprint_and_a_sound_certificate(now: datetime) -> None:
    pair = x509.self_signed(NAMES, now)
    shown = subprocess.run(
        ["openssl", "x509", "-noout", "-fingerprint", "-sha256", "-text"],
        input=pair.chain_pem,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert x509.describe(pair.chain_pem).fingerprint in shown.replace(":", "").lower()
    assert "CA:FALSE" in shown
    assert "TLS Web Server Authentication" in shown


def test_a_name_longer_than_a_common_name_stands_among_the_names(now: datetime) -> None:
    name = ".".join(["a" * 60] * 3)
    assert x509.describe(x509.self_signed([name], now).chain_pem).names == (name,)


@pytest.mark.parametrize("names", [[], ["méil.example.org"]])
def test_a_certificate_for_nobody_is_not_made(names: list[str], now: datetime) -> None:
    with pytest.raises(ValueError, match=r"name|ASCII|encoded"):
        x509.self_signed(names, now)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        "-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        "雪",
    ],
)
def test_what_is_no_certificate_is_refused_in_words(text: str) -> None:
    with pytest.raises(x509.CertificateError, match="not a certificate"):
        x509.describe(text)


@pytest.mark.parametrize(
    ("names", "hostname", "covered"),
    [
        (["mail.example.org"], "MAIL.example.org.", True),
        (["*.example.org"], "mail.example.org", True),
        (["*.example.org"], "a.mail.example.org", False),
        (["*.example.org"], "example.org", False),
        (["example.org"], "mail.example.org", False),
        ([], "mail.example.org", False),
    ],
)
def test_a_certificate_covers_its_names_and_one_label_of_a_wildcard(
    names: list[str], hostname: str, *, covered: bool
) -> None:
    assert x509.covers(names, hostname) is covered


def test_a_client_that_trusts_it_accepts_it_by_name_and_by_address() -> None:
    pair = x509.self_signed(NAMES, datetime.now().astimezone())
    trusting = ssl.create_default_context(cadata=pair.chain_pem)
    for name in NAMES:
        _handshake(pair, trusting, name)
    with pytest.raises(ssl.SSLCertVerificationError):
        _handshake(pair, trusting, "other.example.org")


def _handshake(pair: x509.Pair, trusting: ssl.SSLContext, name: str) -> None:
    """Shake hands in memory, as a client of `name`."""
    from mailadmin.certificates.context import server_context
    from tests.certificates.handshake import shake

    shake(server_context(pair.chain_pem, pair.key_pem), trusting, name)
