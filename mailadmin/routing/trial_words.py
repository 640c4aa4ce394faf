"""What a step of a test is called, what went wrong there, and where to look, in the reader's language.

The daemon's runner tells each step by short names (`smtpd.delivery.probe`): the step's own, and for a failure its
reason. Beside these words the page shows the server's raw reply, which stays as it was.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy, pgettext_lazy

Words = str | Promise

STEPS: Final[Mapping[str, Words]] = {
    "resolve": gettext_lazy("Find the server"),
    "connect": gettext_lazy("Connect"),
    "tls": gettext_lazy("Start TLS"),
    "banner": gettext_lazy("Be greeted"),
    "ehlo": gettext_lazy("Introduce ourselves"),
    "starttls": gettext_lazy("Switch to TLS"),
    "certificate": gettext_lazy("Check its certificate"),
    "auth": pgettext_lazy("step of a test", "Sign in"),
    "mail": gettext_lazy("Offer a message"),
}
# What happened, by reason.
HAPPENED: Final[Mapping[str, Words]] = {
    "timeout": gettext_lazy("Nothing came in time."),
    "refused": gettext_lazy("The connection was refused: nothing listens on this port."),
    "unreachable": gettext_lazy("There is no way to this address."),
    "unknown-host": gettext_lazy("There is no server of this name."),
    "dns": gettext_lazy("The name could not be looked up."),
    "closed": gettext_lazy("The server hung up."),
    "garbage": gettext_lazy("What came is not SMTP."),
    "not-tls": gettext_lazy("The server does not speak TLS on this port."),
    "no-starttls": gettext_lazy("The server offers no STARTTLS."),
    "handshake": gettext_lazy("TLS did not come about."),
    "injected": gettext_lazy("Somebody put data before the protected part of the connection."),
    "expired": gettext_lazy("The certificate has run out."),
    "not-yet-valid": gettext_lazy("The certificate is not valid yet."),
    "self-signed": gettext_lazy("The certificate is self-signed, and nobody here vouches for it."),
    "unknown-ca": gettext_lazy("The certificate is signed by an authority that is not known here."),
    "wrong-name": gettext_lazy("The certificate is for another name."),
    "bad-certificate": gettext_lazy("The certificate is damaged."),
    "bad-ca": gettext_lazy("The authority's certificate given here cannot be read."),
    "clear-password": gettext_lazy("A password is never sent without TLS."),
    "no-mechanism": gettext_lazy("The server offers no way to sign in that is known here."),
    "auth-refused": gettext_lazy("The server does not accept this user name and password."),
    "op25b": gettext_lazy("None of the servers answered on port 25."),
    "no-route": gettext_lazy("The domain takes no mail, or does not exist."),
    "sealed": gettext_lazy("The saved password cannot be opened: the sealing key is another one."),
    "internal": gettext_lazy("The test broke off by an error of this server; its log says more."),
}
# What to do: by reason, and else by step.
_CLOCK: Final = gettext_lazy("Look at this machine's clock; if it is right, the server's owner must renew it.")
_AUTHORITY: Final = gettext_lazy("If the server is yours, paste its authority's certificate into the form.")
_PORTS: Final = gettext_lazy("Port 465 wants TLS from the start, port 587 STARTTLS.")
CURES: Final[Mapping[str, Words]] = {
    "unknown-host": gettext_lazy("Check the spelling of the name."),
    "dns": gettext_lazy("Check the spelling of the name, and this machine's name servers."),
    "not-tls": _PORTS,
    "no-starttls": _PORTS,
    "handshake": _PORTS,
    "garbage": _PORTS,
    "expired": _CLOCK,
    "not-yet-valid": _CLOCK,
    "self-signed": _AUTHORITY,
    "unknown-ca": _AUTHORITY,
    "wrong-name": gettext_lazy("Use the name that stands in the certificate."),
    "clear-password": gettext_lazy("Choose STARTTLS or TLS from the start, or leave the user name empty."),
    "op25b": gettext_lazy(
        "Many providers block port 25 for their customers (in Japan: OP25B). "
        "Use their smarthost instead, on port 587 or 465."
    ),
    "no-route": gettext_lazy("Try another domain, one that surely takes mail."),
    "sealed": gettext_lazy("Type the password again and save."),
}
_BY_STEP: Final[Mapping[str, Words]] = {
    "resolve": CURES["dns"],
    "connect": gettext_lazy("Check name and port. Port 25 is often blocked by the provider: try 587 or 465."),
    "tls": _PORTS,
    "banner": gettext_lazy("If nothing came, the port may want TLS from the start, or it is no mail server."),
    "ehlo": gettext_lazy("The server does not like our name: check the server name under Settings."),
    "starttls": _PORTS,
    "auth": gettext_lazy("Check user name and password; some providers want a password made for mail programs."),
    "mail": gettext_lazy("The server takes no mail from this sender: its words say why."),
}


@dataclass(frozen=True, slots=True)
class Told:
    """One step as the page shows it; `lines` are the server's."""

    label: Words
    ok: bool
    happened: Words
    cure: Words
    lines: tuple[str, ...]


def told(step: Mapping[str, object]) -> Told:
    """Return the words for a step of `RouteTest.steps`."""
    name, reason = str(step.get("step", "")), str(step.get("reason", ""))
    ok = bool(step.get("ok"))
    lines = tuple(line for line in str(step.get("text", "")).splitlines() if line.strip())
    if ok:
        return Told(STEPS.get(name, name), ok=True, happened="", cure="", lines=lines)
    cure = CURES.get(reason) or _BY_STEP.get(name, "")
    return Told(STEPS.get(name, name), ok=False, happened=HAPPENED.get(reason, ""), cure=cure, lines=lines)
