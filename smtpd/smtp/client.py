"""The opening of an outgoing SMTP or LMTP session: greeting, EHLO, STARTTLS, AUTH (sans-IO).

Each step is a dialogue of its own (see `client_actions`), so that a probe can take them one by one; `open_session`
plays them in order. What goes wrong is a `Trouble` with the stage and the server's words. Two rules stand above all
others: a password is sent only under TLS, and where TLS is demanded nothing is ever sent in clear instead.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import Literal

from smtpd.smtp.client_actions import Dialogue, Secured, StartTls, Trouble, ask, receive
from smtpd.smtp.client_features import Features
from smtpd.smtp.client_replies import Reply

# none: in clear. opportunistic: STARTTLS where it is offered. starttls: STARTTLS or nothing. implicit: TLS came first.
TlsMode = Literal["none", "opportunistic", "starttls", "implicit"]


@dataclass(frozen=True, slots=True)
class Plan:
    """How a session is to be opened.

    Args:
        hostname: our name for EHLO.
        tls: see `TlsMode`.
        username: for AUTH; empty for a session without it.
        password: for AUTH.
        lmtp: whether to speak LMTP (RFC 2033).
    """

    hostname: str
    tls: TlsMode
    username: str = ""
    password: str = field(default="", repr=False)
    lmtp: bool = False


@dataclass(frozen=True, slots=True)
class Session:
    """An opened session: what the server offers, and TLS's protocol and cipher (empty for the implicit kind)."""

    features: Features
    tls: str = ""


def open_session(plan: Plan) -> Dialogue[Session]:
    """Open a session.

    Raises:
        Trouble: it could not be opened as planned.
    """
    if plan.username and plan.tls not in {"starttls", "implicit"}:
        raise Trouble(
            "auth",
            "A password is never sent in clear: choose STARTTLS or TLS for this server, or remove its user name.",
            "4.7.11",
            reason="clear-password",
        )
    yield from banner()
    strict = plan.tls == "starttls" or bool(plan.username)
    features = yield from hello(plan.hostname, lmtp=plan.lmtp, strict=strict)
    tls = ""
    if plan.tls == "starttls" or (plan.tls == "opportunistic" and "STARTTLS" in features):
        secured = yield from start_tls(features, demanded=plan.tls == "starttls")
        if secured is not None:
            tls = secured.description
            # Nothing that was said in clear counts any more (RFC 3207 §4.2).
            features = yield from hello(plan.hostname, lmtp=plan.lmtp, strict=strict)
    if plan.username:
        yield from authenticate(features, plan.username, plan.password)
    return Session(features, tls)


def banner() -> Dialogue[Reply]:
    """Read the server's greeting."""
    reply = yield from receive("banner")
    if reply.code != 220:  # noqa: PLR2004  # RFC 5321 §4.3.2
        raise Trouble.refused(reply, "connect")
    return reply


def hello(hostname: str, *, lmtp: bool = False, strict: bool = False) -> Dialogue[Features]:
    """Introduce ourselves with EHLO, or with HELO when the server knows no EHLO (RFC 5321 §3.2).

    Args:
        hostname: our name.
        lmtp: say LHLO; there is no older form of that.
        strict: what follows needs an extension, so that HELO would be no use.
    """
    name = hostname.encode("ascii", "replace")
    reply = yield from ask((b"LHLO " if lmtp else b"EHLO ") + name, "hello")
    if reply.code == 250:  # noqa: PLR2004
        return Features.of(reply)
    if reply.kind == 5 and not (lmtp or strict):  # noqa: PLR2004
        reply = yield from ask(b"HELO " + name, "hello")
        if reply.code == 250:  # noqa: PLR2004
            return Features()
    raise Trouble.refused(reply, "connect")


def start_tls(features: Features, *, demanded: bool) -> Dialogue[Secured | None]:
    """Begin TLS (RFC 3207).

    Returns:
        None when the server offered it, then would not, and it is not demanded: the session is still in clear.
    """
    if "STARTTLS" not in features:
        raise Trouble(
            "tls",
            "The server does not offer STARTTLS, although it must: nothing was sent. "
            "Either its settings changed, or somebody on the way removes the offer.",
            "4.7.4",
            reason="no-starttls",
        )
    reply = yield from ask(b"STARTTLS", "starttls")
    if reply.code != 220:  # noqa: PLR2004
        if demanded:
            raise Trouble.refused(reply, "tls")
        return None
    secured = yield StartTls()
    if not isinstance(secured, Secured):
        raise TypeError("a driver answers StartTls with Secured")
    return secured


def authenticate(features: Features, username: str, password: str) -> Dialogue[Reply]:
    """Authenticate with the first of PLAIN and LOGIN that is offered; the caller has made sure of TLS (RFC 4954).

    Returns:
        The reply that says yes.
    """
    if "PLAIN" in features.mechanisms:
        reply = yield from _plain(username, password)
    elif "LOGIN" in features.mechanisms:
        reply = yield from _login(username, password)
    else:
        offered = " ".join(sorted(features.mechanisms)) or "none at all"
        words = f"The server offers no mechanism we can authenticate with: it wants {offered}, we have PLAIN and LOGIN."
        raise Trouble("auth", words, "4.7.4", reason="no-mechanism")
    if reply.code != 235:  # noqa: PLR2004  # RFC 4954 §6
        raise _auth_refused(reply)
    return reply


def _plain(username: str, password: str) -> Dialogue[Reply]:
    """SASL PLAIN (RFC 4616) with an initial response."""
    response = base64.b64encode(f"\0{username}\0{password}".encode())
    return (yield from ask(b"AUTH PLAIN " + response, "auth"))


def _login(username: str, password: str) -> Dialogue[Reply]:
    """SASL LOGIN: what the challenges say is not looked at, as every client does it."""
    reply = yield from ask(b"AUTH LOGIN", "auth")
    for secret in (username, password):
        if reply.code != 334:  # noqa: PLR2004
            return reply
        reply = yield from ask(base64.b64encode(secret.encode()), "auth")
    return reply


def _auth_refused(reply: Reply) -> Trouble:
    """A refused password is for the household to repair, not a reason to return mail: never permanent."""
    trouble = Trouble.refused(reply, "auth", "auth-refused")
    trouble.permanent = False
    trouble.enhanced = f"4{trouble.enhanced[1:]}" if reply.enhanced else "4.7.8"
    return trouble
