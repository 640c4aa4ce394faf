"""Make and read certificates (pure: no Django, no clock, no files)."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

VALID_FOR: Final = timedelta(days=365)
# A client whose clock is a little slow must not refuse a certificate made a minute ago.
BACKDATED: Final = timedelta(days=1)
_MAX_COMMON_NAME: Final = 64  # RFC 5280 appendix A, ub-common-name


class CertificateError(ValueError):
    """The text is not a certificate chain; str() says why, for people."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate chain, leaf first, and its private key, both as PEM."""

    chain_pem: str
    key_pem: str


@dataclass(frozen=True, slots=True)
class Description:
    """What people want to know of a leaf certificate.

    Args:
        subject: its subject, as RFC 4514 text.
        issuer: who signed it.
        names: the DNS names and IP addresses it is for.
        fingerprint: SHA-256 of the leaf, in lower-case hexadecimal.
        key: the kind of key, such as "EC secp256r1" or "RSA 2048".
        not_before: when it begins to be valid (aware, UTC).
        not_after: when it ends.
        self_signed: whether it is its own issuer.
    """

    subject: str
    issuer: str
    names: tuple[str, ...]
    fingerprint: str
    key: str
    not_before: datetime
    not_after: datetime
    self_signed: bool


def self_signed(names: Sequence[str], now: datetime) -> Pair:
    """Return a fresh ECDSA P-256 key and a self-signed server certificate for it, valid for a year from `now`.

    Args:
        names: DNS names (A-labels) and IP addresses; the first one is also the common name.
        now: aware UTC time.

    Raises:
        ValueError: there is no name, or one is neither a name in ASCII nor an address.
    """
    if not names:
        raise ValueError("a certificate needs a name")
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:_MAX_COMMON_NAME])])
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + VALID_FOR)
        .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_digital_signature_only(), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(identifier, critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier),
            critical=False,
        )
    )
    certificate = builder.sign(key, hashes.SHA256())
    return Pair(
        chain_pem=certificate.public_bytes(Encoding.PEM).decode("ascii"),
        key_pem=key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode("ascii"),
    )


def describe(chain_pem: str) -> Description:
    """Describe the first certificate of a chain.

    Raises:
        CertificateError: there is none, or it cannot be read.
    """
    leaf = load_chain(chain_pem)[0]
    return Description(
        subject=leaf.subject.rfc4514_string(),
        issuer=leaf.issuer.rfc4514_string(),
        names=_names(leaf),
        fingerprint=leaf.fingerprint(hashes.SHA256()).hex(),
        key=_key(leaf),
        not_before=leaf.not_valid_before_utc.astimezone(UTC),
        not_after=leaf.not_valid_after_utc.astimezone(UTC),
        self_signed=leaf.subject == leaf.issuer,
    )


def load_chain(chain_pem: str) -> list[x509.Certificate]:
    """Return the certificates of a PEM text, in its order.

    Raises:
        CertificateError: it holds none, or one cannot be read.
    """
    try:
        return x509.load_pem_x509_certificates(chain_pem.encode("ascii"))
    except ValueError as error:
        raise CertificateError("it is not a certificate in PEM form (-----BEGIN CERTIFICATE-----)") from error


def covers(names: Sequence[str], hostname: str) -> bool:
    """Say whether a certificate for `names` is good for `hostname` (RFC 6125 §6.4: one whole label may be ``*``)."""
    wanted = hostname.lower().rstrip(".")
    wildcard = "*." + wanted.partition(".")[2]
    return any(name.lower() in {wanted, wildcard} for name in names)


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _digital_signature_only() -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def _names(leaf: x509.Certificate) -> tuple[str, ...]:
    try:
        alternative = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return ()
    dns = alternative.get_values_for_type(x509.DNSName)
    addresses = alternative.get_values_for_type(x509.IPAddress)
    return (*dns, *(str(address) for address in addresses))


def _key(leaf: x509.Certificate) -> str:
    key = leaf.public_key()
    if isinstance(key, ec.EllipticCurvePublicKey):
        return f"EC {key.curve.name}"
    if isinstance(key, rsa.RSAPublicKey):
        return f"RSA {key.key_size}"
    return type(key).__name__.strip("_").removesuffix("PublicKey")
