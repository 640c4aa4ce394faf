"""The steps of a probe over an open connection, each played and told one by one."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import replace
from typing import Final, NoReturn, TypeVar

from mailadmin.certificates.x509 import CertificateError, Description, describe
from smtpd.smtp.client import authenticate, banner, hello, start_tls
from smtpd.smtp.client_actions import Dialogue, Trouble, ask
from smtpd.smtp.client_commands import speakable
from smtpd.smtp.client_features import Features
from smtpd.smtp.client_replies import MAX_WORDS, visible

from .connection import Connection
from .targets import Target

# What a handshake can stumble over that is the certificate's fault.
_CERTIFICATE: Final = {
    "not-yet-valid",
    "expired",
    "self-signed",
    "unknown-ca",
    "wrong-name",
    "bad-certificate",
    "bad-ca",
}

_T = TypeVar("_T")


class _Over(Exception):  # noqa: N818  # not an error: a step failed and was told
    """A step failed; the walk ends."""


class Walk:
    """Walks through the steps after connecting.

    Args:
        connection: on which nothing was said yet.
        target: where it leads.
        hostname: our name.
        tell: takes each step: its name, a text, and for one that failed a reason.
    """

    def __init__(
        self, connection: Connection, target: Target, hostname: str, tell: Callable[[str, str, str], None]
    ) -> None:
        self._connection = connection
        self._target = target
        self._hostname = hostname
        self._tell_step = tell

    async def smarthost(self) -> None:
        """Take all the steps of a smarthost, until one fails."""
        try:
            if self._target.tls == "implicit":
                await self._handshake("tls")
            features = await self._greet()
            if self._target.tls == "starttls":
                await self._start_tls(features)
                features = await self._hello(told=False)
            if self._target.username:
                await self._authenticate(features)
            await self._mail()
        except _Over:
            return

    async def direct(self) -> None:
        """Take the steps of direct delivery up to TLS, which is optional there."""
        try:
            features = await self._greet()
            if "STARTTLS" in features:
                await self._start_tls(features)
        except _Over:
            return

    # The steps.

    async def _greet(self) -> Features:
        reply = await self._play("banner", banner())
        self._tell("banner", reply.raw)
        return await self._hello(told=True)

    async def _hello(self, *, told: bool) -> Features:
        strict = self._target.tls == "starttls" or bool(self._target.username)
        features = await self._play("ehlo", hello(self._hostname, strict=strict))
        if told:
            self._tell("ehlo", features.raw or "The server knows only HELO.")
        return features

    async def _start_tls(self, features: Features) -> None:
        try:
            secured = await self._connection.run(start_tls(features, demanded=True))
        except Trouble as trouble:
            await self._handshake_failed("starttls", trouble)
        else:
            self._tell("starttls", secured.description if secured is not None else "")
            self._tell_certificate()

    async def _handshake(self, step: str) -> None:
        try:
            description = await self._connection.secure()
        except Trouble as trouble:
            await self._handshake_failed(step, trouble)
        else:
            self._tell(step, description)
            self._tell_certificate()

    async def _handshake_failed(self, step: str, trouble: Trouble) -> None:
        if trouble.reason not in _CERTIFICATE:
            self._fail(step, trouble)
        self._tell(step, "The server speaks TLS.")
        presented = await self._presented()
        if presented is not None:
            trouble.words = f"{trouble.words}\n{_told(presented)}"
        self._fail("certificate", trouble)

    def _tell_certificate(self) -> None:
        """Tell whose certificate it was; opportunistic TLS takes any, and says so."""
        description = _certificate(self._connection.ssl_object)
        if description is None:
            return
        verified = self._target.tls in {"starttls", "implicit"}
        note = "" if verified else "\nIt was not verified: direct delivery takes any certificate."
        self._tell("certificate", _told(description) + note)

    async def _presented(self) -> Description | None:
        """Ask the server once more, without verifying, which certificate it has: its names are the cure."""
        implicit = self._target.tls == "implicit"
        try:
            connection = await self._connection.again(replace(self._target, tls="opportunistic"))
        except Trouble:
            return None
        try:
            if implicit:
                await connection.secure()
            else:
                await connection.run(banner())
                features = await connection.run(hello(self._hostname, strict=True))
                await connection.run(start_tls(features, demanded=True))
            return _certificate(connection.ssl_object)
        except Trouble:
            return None
        finally:
            connection.abort()

    async def _authenticate(self, features: Features) -> None:
        if not self._connection.tls:
            words = "A password is never sent in clear: choose STARTTLS or TLS, or remove the user name."
            self._fail("auth", Trouble("auth", words, reason="clear-password"))
        target = self._target
        reply = await self._play("auth", authenticate(features, target.username, target.password))
        self._tell("auth", reply.raw)

    async def _mail(self) -> None:
        sender = self._target.username if "@" in self._target.username and speakable(self._target.username) else ""
        reply = await self._play("mail", ask(f"MAIL FROM:<{sender}>".encode(), "mail"))
        if reply.kind != 2:  # noqa: PLR2004  # done
            self._fail("mail", Trouble.refused(reply, "mail"))
        self._tell("mail", reply.raw)
        await self._play("mail", ask(b"RSET", "reset"))

    # Telling.

    async def _play(self, step: str, dialogue: Dialogue[_T]) -> _T:
        try:
            return await self._connection.run(dialogue)
        except Trouble as trouble:
            self._fail(step, trouble)

    def _tell(self, step: str, text: str) -> None:
        self._tell_step(step, text, "")

    def _fail(self, step: str, trouble: Trouble) -> NoReturn:
        self._tell_step(step, trouble.raw or trouble.words, trouble.reason or "unknown")
        raise _Over


def _certificate(ssl_object: ssl.SSLObject | None) -> Description | None:
    """Describe the server's certificate, or None when there is none that can be read."""
    der = ssl_object.getpeercert(binary_form=True) if ssl_object is not None else None
    if not der:
        return None
    try:
        return describe(ssl.DER_cert_to_PEM_cert(der))
    except CertificateError:
        return None


def _told(certificate: Description) -> str:
    """Tell in words for whom a certificate is, by whom, and how long; names are the server's, so made visible."""
    names = ", ".join(certificate.names) or "no name at all"
    words = (
        f"Certificate for {names}; issued by {certificate.issuer}; "
        f"valid until {certificate.not_after:%Y-%m-%d}; SHA-256 {certificate.fingerprint}"
    )
    return visible(words.encode())[:MAX_WORDS]
