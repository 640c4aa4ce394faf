"""The flags by which commands name a way out: ``--smarthost HOST:PORT`` with its companions, ``--mx``, and none.

``--smarthost`` may be given several times; each companion is then given once for all of them or once for each, in the
same order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from django.core.management.base import CommandParser

from mailadmin.commands import STANDARD_INPUT, Usage, read_password, read_text
from mailadmin.routing import targets
from mailadmin.routing.models import Smarthost
from mailadmin.routing.targets import SmarthostInput

SUBMISSION_PORT: Final = 587
# RFC 8314 §7.3: TLS from the start is what this port is for.
SUBMISSIONS_PORT: Final = 465


def add_smarthost_flags(parser: CommandParser) -> None:
    """Add ``--smarthost`` and its companions."""
    parser.add_argument(
        "--smarthost", action="append", metavar="HOST:PORT", help="mail leaves through this server; tried in order"
    )
    parser.add_argument(
        "--smarthost-tls",
        action="append",
        choices=Smarthost.Tls.values,
        help="default: implicit on port 465, else starttls",
    )
    parser.add_argument("--smarthost-user", action="append", metavar="USER")
    parser.add_argument("--smarthost-password-file", action="append", metavar="FILE", help="- is standard input")
    parser.add_argument(
        "--smarthost-ca", action="append", metavar="FILE", help="certificate (PEM) of the smarthost's own authority"
    )


def smarthosts(options: dict[str, Any]) -> tuple[SmarthostInput, ...]:
    """Return the smarthosts that the flags name; none without ``--smarthost``.

    Raises:
        Usage: a companion stands alone or too often, or HOST:PORT is neither.
        Problem: a file cannot be read.
    """
    places: list[str] = options["smarthost"] or []
    tls = _each(options, "smarthost_tls", len(places))
    users = _each(options, "smarthost_user", len(places))
    password_files = _each(options, "smarthost_password_file", len(places))
    authorities = _each(options, "smarthost_ca", len(places))
    texts = {path: read_password(path) for path in dict.fromkeys(password_files) if path}
    found = []
    for at, place in enumerate(places):
        try:
            host, port = targets.host_and_port(place, default_port=SUBMISSION_PORT)
        except ValueError as error:
            raise Usage(f"--smarthost {place}: {error}.") from error
        found.append(
            SmarthostInput(
                host=host,
                port=port,
                tls=tls[at] or ("implicit" if port == SUBMISSIONS_PORT else "starttls"),
                username=users[at] or "",
                password=texts[password_files[at] or ""] if password_files[at] else None,
                ca_pem=read_text(authorities[at] or "") if authorities[at] else "",
            )
        )
    return tuple(found)


def one_standard_input(*paths: str | None) -> None:
    """Refuse to read two things from standard input.

    Raises:
        Usage: more than one of `paths` is ``-``.
    """
    if sum(path == STANDARD_INPUT for path in paths) > 1:
        raise Usage("Only one file can be standard input (-).")


def _each(options: dict[str, Any], name: str, number: int) -> Sequence[str | None]:
    """Return the companion's value for each smarthost."""
    values: list[str] = options[name] or []
    flag = "--" + name.replace("_", "-")
    if values and not number:
        raise Usage(f"{flag} belongs to a --smarthost.")
    if len(values) not in {0, 1, number}:
        raise Usage(f"Give {flag} once for all smarthosts, or once for each.")
    return values * number if len(values) == 1 else values or [None] * number
