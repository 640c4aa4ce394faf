"""Read and check what people type for a domain, a pattern, a smarthost or an LMTP server."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from mailadmin.accounts.addresses import AddressError, normal_domain
from mailadmin.certificates import x509
from mailadmin.routing.models import Route, Smarthost

_MAX_PORT: Final = 65535
_MAX_SOCKET_PATH: Final = 107  # sun_path of unix(7), without the final NUL
_MAX_PEM: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class SmarthostInput:
    """A smarthost as somebody typed it. `password` None keeps the saved one of the same host, port and user."""

    host: str
    port: int = 587
    tls: str = "starttls"
    username: str = ""
    password: str | None = None
    ca_pem: str = ""


@dataclass(frozen=True, slots=True)
class WayOut:
    """How mail leaves: `via` is "smarthost", "mx" or "none"."""

    via: str
    smarthosts: tuple[SmarthostInput, ...] = ()


def domain_name(text: str) -> str:
    """Return a domain in normal form.

    Raises:
        ValidationError: it is none; under the key ``name``.
    """
    try:
        return normal_domain(text)
    except AddressError as error:
        message = _("“%(name)s” is not a mail domain such as example.org: %(reason)s.")
        raise ValidationError({"name": message % {"name": text, "reason": _(str(error))}}) from error


def pattern(text: str) -> str:
    """Return a route's pattern in normal form: ``*``, ``example.org`` or ``*.example.org``.

    Raises:
        ValidationError: it is none of the three; under the key ``pattern``.
    """
    text = text.strip()
    if text == "*":
        return text
    head, domain = ("*.", text[2:]) if text.startswith("*.") else ("", text)
    try:
        return head + normal_domain(domain)
    except AddressError as error:
        message = _("“%(pattern)s” is not a pattern: use *, example.org or *.example.org.")
        raise ValidationError({"pattern": message % {"pattern": text}}) from error


def host_and_port(text: str, default_port: int | None = None) -> tuple[str, int]:
    """Return the host and port of ``HOST:PORT`` or ``[IPv6]:PORT``.

    Raises:
        ValueError: there is no port and no default, or a part is out of bounds; str() says which, for people.
    """
    text = text.strip()
    bare_ipv6 = text.count(":") > 1 and not text.startswith("[")
    host, colon, digits = (text, "", "") if bare_ipv6 or text.endswith("]") else text.rpartition(":")
    if not colon:
        host = text
    if colon and not (digits.isascii() and digits.isdigit() and 1 <= int(digits) <= _MAX_PORT):
        raise ValueError(_("the port after the colon must be a number from 1 to 65535"))
    if not colon and default_port is None:
        raise ValueError(_("the port is missing: write HOST:PORT"))
    return normal_host(host), int(digits) if colon else int(default_port or 0)


def normal_host(text: str) -> str:
    """Return a host name in A-labels, or an IP address without brackets.

    Raises:
        ValueError: it is neither; str() says why, for people.
    """
    host = text.strip()
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    try:
        return str(ipaddress.ip_address(bare))
    except ValueError:
        return normal_domain(host)


def lmtp_target(text: str) -> str:
    """Return an LMTP server's ``HOST:PORT`` or unix socket path, checked.

    Raises:
        ValidationError: it is neither; under the key ``lmtp_target``.
    """
    text = text.strip()
    if text.startswith("/"):
        if len(text.encode()) > _MAX_SOCKET_PATH or "\0" in text:
            raise ValidationError({"lmtp_target": _("The path of a unix socket has at most 107 bytes.")})
        return text
    try:
        host, port = host_and_port(text)
    except ValueError as error:
        message = _("“%(target)s” is neither HOST:PORT nor the path of a unix socket: %(reason)s.")
        raise ValidationError({"lmtp_target": message % {"target": text, "reason": _(str(error))}}) from error
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def smarthost(given: SmarthostInput) -> SmarthostInput:
    """Return `given` in normal form.

    Raises:
        ValidationError: a value is wrong; under its field's name.
    """
    try:
        host = normal_host(given.host)
    except ValueError as error:
        message = _("“%(host)s” is not a server's name or address: %(reason)s.")
        raise ValidationError({"host": message % {"host": given.host, "reason": _(str(error))}}) from error
    if not 1 <= given.port <= _MAX_PORT:
        raise ValidationError({"port": _("A port is a number from 1 to 65535.")})
    if given.tls not in Smarthost.Tls.values:
        raise ValidationError({"tls": _("TLS is one of none, starttls and implicit.")})
    username = given.username.strip()
    if any(character in "\0\r\n" for character in username + (given.password or "")):
        raise ValidationError({"username": _("User name and password cannot hold line ends or NUL.")})
    return replace(given, host=host, username=username, ca_pem=_authorities(given.ca_pem))


def check_credentials(tls: str, username: str, *, has_password: bool) -> None:
    """Refuse a password that would travel in the clear, and halves of a login.

    Raises:
        ValidationError: under the field that is to blame.
    """
    if tls == Smarthost.Tls.NONE and (username or has_password):
        message = _("Without TLS a password would be readable on its way. Choose STARTTLS or TLS from the start.")
        raise ValidationError({"tls": message})
    if username and not has_password:
        raise ValidationError({"password": _("The smarthost's password is missing.")})
    if has_password and not username:
        raise ValidationError({"username": _("The smarthost's user name is missing.")})


def check_way_out(via: str, smarthosts: Sequence[SmarthostInput]) -> None:
    """Refuse a way out that is none, and one whose smarthosts are missing or too many.

    Raises:
        ValidationError: under the key ``via``.
    """
    if via not in Route.Via.values:
        raise ValidationError({"via": _("Mail leaves by “smarthost”, by “mx” or by “none”.")})
    if via == Route.Via.SMARTHOST and not smarthosts:
        raise ValidationError({"via": _("Name the smarthost.")})
    if via != Route.Via.SMARTHOST and smarthosts:
        raise ValidationError({"via": _("A smarthost is named, but mail is to leave another way.")})


def _authorities(pem: str) -> str:
    pem = pem.strip()
    if not pem:
        return ""
    if len(pem) > _MAX_PEM:
        raise ValidationError({"ca_pem": _("The certificates are too large: 64 KB are the limit.")})
    try:
        x509.load_chain(pem)
    except x509.CertificateError as error:
        message = _("The authority's certificate cannot be read: %(reason)s.")
        raise ValidationError({"ca_pem": message % {"reason": error}}) from error
    return pem + "\n"
