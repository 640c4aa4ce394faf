"""TLS as a client: contexts, and what a failed handshake means in words.

Two kinds of context. *Verified*, for smarthosts: the system's authorities and those that the household may have given,
host name checked; a password goes over nothing less. *Unverified*, for direct delivery: opportunistic TLS protects
against listeners only, and demanding a certificate there would stop mail that otherwise goes in clear (RFC 7435).
"""

from __future__ import annotations

import asyncio
import ssl
from typing import Final

from smtpd.smtp.client_actions import Trouble

_KEPT: Final = 32
# Codes of X509_V_ERR_… (openssl-verification-options(1)).
_REASONS: Final = {
    9: "not-yet-valid",
    10: "expired",
    18: "self-signed",
    19: "unknown-ca",
    20: "unknown-ca",
    21: "unknown-ca",
    62: "wrong-name",
    64: "wrong-name",
}
_WORDS: Final = {
    "not-yet-valid": "The server's certificate is not valid yet; is the clock of this machine right?",
    "expired": "The server's certificate has expired.",
    "self-signed": "The server's certificate is self-signed: no authority vouches for it. "
    "If the server is yours, give its certificate as the CA certificate here.",
    "unknown-ca": "The server's certificate comes from an authority that is not trusted here. "
    "If the authority is yours, give its certificate as the CA certificate here.",
}


class Contexts:
    """Builds contexts in a thread (reading the system's authorities takes tens of milliseconds) and keeps them."""

    def __init__(self) -> None:
        self._verified: dict[str, ssl.SSLContext] = {}
        self._unverified: ssl.SSLContext | None = None

    async def verified(self, ca_pem: str) -> ssl.SSLContext:
        """Return a context that trusts the system's authorities and those in `ca_pem`.

        Raises:
            Trouble: `ca_pem` cannot be read.
        """
        context = self._verified.get(ca_pem)
        if context is None:
            try:
                context = await asyncio.to_thread(verifying_context, ca_pem)
            except (ssl.SSLError, ValueError) as error:
                words = "The CA certificate given for this server cannot be read: it must be in PEM form."
                raise Trouble("tls", words, "4.7.5", reason="bad-ca") from error
            while len(self._verified) >= _KEPT:
                del self._verified[next(iter(self._verified))]
            self._verified[ca_pem] = context
        return context

    async def unverified(self) -> ssl.SSLContext:
        """Return a context that takes any certificate."""
        if self._unverified is None:
            self._unverified = await asyncio.to_thread(trusting_context)
        return self._unverified


def verifying_context(ca_pem: str) -> ssl.SSLContext:
    """Make a context that demands a certificate of the right name from a trusted authority; TLS 1.2 or later."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # demands certificate and name
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_default_certs()
    if ca_pem.strip():
        context.load_verify_locations(cadata=ca_pem)
        # A household may trust one server's own certificate, whoever signed it.
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


def trusting_context() -> ssl.SSLContext:
    """Make a context for opportunistic TLS: encrypted, but to whoever answers."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def handshake_trouble(error: Exception, name: str) -> Trouble:
    """Return what a failed handshake with `name` means.

    Args:
        error: what the handshake raised: an SSLError, an OSError, a time-out, or a ValueError for an impossible name.
        name: the host name that was asked for.
    """
    if isinstance(error, ssl.SSLCertVerificationError):
        reason = _REASONS.get(error.verify_code, "bad-certificate")
        words = _WORDS.get(reason, f"The server's certificate does not hold: {error.verify_message}.")
        if reason == "wrong-name":
            words = (
                f"The server's certificate is not for {name}: another server answers, or it is known by another name."
            )
        return Trouble("tls", words, "4.7.5", reason=reason)
    if isinstance(error, ssl.SSLError):
        if error.reason in {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNKNOWN_PROTOCOL", "PACKET_LENGTH_TOO_LONG"}:
            words = (
                "What the server answered is not TLS. Is this the port for TLS from the start, and not for STARTTLS?"
            )
            return Trouble("tls", words, "4.7.5", reason="not-tls")
        detail = (error.reason or str(error)).replace("_", " ").lower()
        return Trouble("tls", f"The TLS handshake failed: {detail}.", "4.7.5", reason="handshake")
    if isinstance(error, TimeoutError) or "handshake" in str(error):
        return Trouble("tls", "The server did not finish the TLS handshake in time.", "4.7.5", reason="timeout")
    if isinstance(error, ValueError):
        return Trouble("tls", f"No certificate can be for a server named {name!r}.", "4.7.5", reason="wrong-name")
    return Trouble("tls", "The server hung up during the TLS handshake.", "4.7.5", reason="handshake")


def description(ssl_object: ssl.SSLObject | None) -> str:
    """Return protocol and cipher, such as ``TLSv1.3 TLS_AES_256_GCM_SHA384``."""
    if ssl_object is None:
        return ""
    cipher = ssl_object.cipher()
    return f"{ssl_object.version()} {cipher[0] if cipher else ''}".strip()
