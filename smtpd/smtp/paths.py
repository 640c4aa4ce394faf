"""Reads what follows MAIL and RCPT: a path in angle brackets and the parameters behind it (RFC 5321 §4.1.2).

Strict, since two programs that read an address differently are how mail gets relayed or spoofed: the brackets are
needed; routes, comments, control characters and text behind the path are refused; UTF-8 needs SMTPUTF8. ``%`` and ``!``
in a local part mean nothing here. The one liberty is spaces after the colon, which many clients send and which cannot
be misread.

A path comes out in one form: the local part as it was given, quoted only where it must be; the domain in lower-case
A-labels, or an address literal in its canonical form. So ``rpartition("@")`` always splits it rightly. The common form
(plain ASCII, lower-case domain) is one regular expression; everything else takes the slower, complete way.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Final, NamedTuple

from mailadmin.accounts.addresses import MAX_ADDRESS, MAX_LOCAL_PART, AddressError, normal_domain
from smtpd.smtp import replies
from smtpd.smtp.replies import Refused

_ATEXT: Final = r"A-Za-z0-9!#$%&'*+/=?^_`{|}~\-"
_FAST: Final = re.compile(
    (
        rf"(?P<verb>FROM|TO|from|to|From|To):<(?P<local>[{_ATEXT}]+(?:\.[{_ATEXT}]+)*)@"
        r"(?P<domain>(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z](?:[a-z0-9-]*[a-z0-9])?)>(?P<rest>(?: .*)?)\Z"
    ).encode()
)
_FULL: Final = re.compile(
    rf"<(?:(?P<atoms>[{_ATEXT}\x80-\U0010ffff]+(?:\.[{_ATEXT}\x80-\U0010ffff]+)*)"
    r'|"(?P<quoted>(?:[ !#-\[\]-~\x80-\U0010ffff]|\\[ -~])+)")@'
    r"(?P<domain>\[[0-9A-Za-z:.]+\]|[A-Za-z0-9_.\x80-\U0010ffff-]+)>(?P<rest>(?: .*)?)\Z"
)
_DOT_ATOM: Final = re.compile(rf"[{_ATEXT}\x80-\U0010ffff]+(?:\.[{_ATEXT}\x80-\U0010ffff]+)*")
_NULL: Final = re.compile(r"<>(?P<rest>(?: .*)?)\Z")
_POSTMASTER: Final = re.compile(r"<postmaster>(?P<rest>(?: .*)?)\Z", re.IGNORECASE)
_CONTROL: Final = re.compile(rb"[\x00-\x1f\x7f]")
_PARAMETERS: Final = re.compile(r"(?: +[A-Za-z0-9][A-Za-z0-9-]*(?:=[!-<>-~\x80-\U0010ffff]+)?)* *")
_MAX_LABEL: Final = 63

Parameters = dict[str, str | None]


class Path(NamedTuple):
    """A reverse or forward path.

    `address` is ``local@domain`` and empty for the null path; `domain` is empty for that and for ``<postmaster>``.
    `utf8` tells whether the client wrote it with characters beyond ASCII.
    """

    address: str
    local: str
    domain: str
    utf8: bool


_NULL_PATH: Final = Path("", "", "", utf8=False)
_POSTMASTER_PATH: Final = Path("postmaster", "postmaster", "", utf8=False)


def parse_mail(argument: bytes) -> tuple[Path, Parameters]:
    """Read the argument of MAIL, such as ``FROM:<a@example.org> SIZE=10``.

    Returns:
        The path and the parameters: names in upper case, values as written, None for a name without a value.

    Raises:
        Refused: with the reply to send; 553 5.6.7 when the address is beyond ASCII without SMTPUTF8 (RFC 6531 §3.5).
    """
    common = _common(argument, b"FROM")
    if common is not None:
        return common
    text = _text(argument, "FROM:", replies.MAIL_SYNTAX)
    null = _NULL.match(text)
    if null is not None:
        return _NULL_PATH, _parameters(null["rest"])
    path, parameters = _mailbox(text, replies.MAIL_SYNTAX, replies.BAD_SENDER_ADDRESS)
    if path.utf8 and "SMTPUTF8" not in parameters:
        raise Refused(replies.NEEDS_SMTPUTF8)
    return path, parameters


def parse_rcpt(argument: bytes, *, smtputf8: bool = False) -> tuple[Path, Parameters]:
    """Read the argument of RCPT, such as ``TO:<b@example.org> NOTIFY=NEVER``.

    Args:
        argument: what follows the verb and its space.
        smtputf8: whether this transaction's MAIL had SMTPUTF8.

    Returns:
        The path and the parameters, as of `parse_mail`. ``<postmaster>`` (RFC 5321 §4.1.1.3) has an empty domain.

    Raises:
        Refused: with the reply to send.
    """
    common = _common(argument, b"TO")
    if common is not None:
        return common
    text = _text(argument, "TO:", replies.RCPT_SYNTAX)
    postmaster = _POSTMASTER.match(text)
    if postmaster is not None:
        return _POSTMASTER_PATH, _parameters(postmaster["rest"])
    if _NULL.match(text) is not None:
        raise Refused(replies.NULL_RECIPIENT)
    path, parameters = _mailbox(text, replies.RCPT_SYNTAX, replies.BAD_RECIPIENT_ADDRESS)
    if path.utf8 and not smtputf8:
        raise Refused(replies.NEEDS_SMTPUTF8)
    return path, parameters


def _common(argument: bytes, verb: bytes) -> tuple[Path, Parameters] | None:
    """Read the common form; None when `argument` has another one."""
    match = _FAST.match(argument)
    if match is None or not argument.isascii():
        return None
    found, local, domain, rest = match.groups()
    if found.upper() != verb or len(local) > MAX_LOCAL_PART or len(local) + len(domain) >= MAX_ADDRESS:
        return None
    if len(domain) > _MAX_LABEL or (rest and _CONTROL.search(rest)):
        return None
    local_part, domain_part = local.decode(), domain.decode()
    path = Path(f"{local_part}@{domain_part}", local_part, domain_part, False)  # by name is slower
    return path, _parameters(rest.decode()) if rest else {}


def _text(argument: bytes, keyword: str, syntax: bytes) -> str:
    """Return what stands behind `keyword`, from the opening bracket on, free of control characters."""
    if _CONTROL.search(argument):
        raise Refused(replies.CONTROL_CHARACTER)
    try:
        text = argument.decode()
    except UnicodeDecodeError:
        raise Refused(replies.BAD_UTF8) from None
    if text[: len(keyword)].upper() != keyword:
        raise Refused(syntax)
    text = text[len(keyword) :].lstrip(" ")
    if not text.startswith("<"):
        raise Refused(syntax)
    if text.startswith("<@"):
        raise Refused(replies.SOURCE_ROUTE)
    return text


def _mailbox(text: str, syntax: bytes, bad_address: bytes) -> tuple[Path, Parameters]:
    """Read a bracketed mailbox in any form, and the parameters behind it."""
    match = _FULL.match(text)
    if match is None:
        # Brackets in place means that it is the address itself that is wrong.
        raise Refused(bad_address if ">" in text else syntax)
    atoms, quoted, domain, rest = match.groups()
    local = _quoted(quoted) if atoms is None else atoms
    if not all(character.isascii() or character.isprintable() for character in local):
        raise Refused(bad_address)
    if len(local.encode()) > MAX_LOCAL_PART:
        raise Refused(replies.ADDRESS_TOO_LONG)
    try:
        domain_part = _literal(domain) if domain.startswith("[") else _domain(domain)
    except ValueError:
        raise Refused(bad_address) from None
    address = f"{local}@{domain_part}"
    if len(address.encode()) > MAX_ADDRESS:
        raise Refused(replies.ADDRESS_TOO_LONG)
    utf8 = not (local.isascii() and domain.isascii())
    return Path(address, local, domain_part, utf8), _parameters(rest)


def _quoted(content: str) -> str:
    """Return a quoted local part in its shortest form (RFC 5321 §4.1.2): without quotes where it needs none."""
    value = re.sub(r"\\(.)", r"\1", content)
    if _DOT_ATOM.fullmatch(value):
        return value
    escaped = re.sub(r'(["\\])', r"\\\1", value)
    return f'"{escaped}"'


def _domain(domain: str) -> str:
    """Return a domain in normal form; ValueError for one that is none, or that looks like an IPv4 address."""
    if domain.endswith(".") or not domain.isprintable():
        raise AddressError("the domain ends with a dot or a space")  # normal_domain would forgive both
    result = normal_domain(domain)
    if result.rpartition(".")[2].isdigit():
        raise AddressError("no top-level domain is a number")
    return result


def _literal(domain: str) -> str:
    """Return an address literal in canonical form (RFC 5321 §4.1.3); ValueError for anything else in brackets."""
    inner = domain[1:-1]
    if inner[:5].upper() == "IPV6:":
        address = ipaddress.IPv6Address(inner[5:])
        # RFC 5952 §5; Python's own form of it has changed with 3.13.
        return f"[IPv6:::ffff:{address.ipv4_mapped}]" if address.ipv4_mapped else f"[IPv6:{address}]"
    return f"[{ipaddress.IPv4Address(inner)}]"


def _parameters(rest: str) -> Parameters:
    """Read ``SP NAME[=VALUE]`` any number of times; a name that comes twice is refused (RFC 5321 §4.1.2)."""
    parameters: Parameters = {}
    if _PARAMETERS.fullmatch(rest) is None:
        raise Refused(replies.PARAMETER_SYNTAX)
    for word in rest.split():
        name, equals, value = word.partition("=")
        name = name.upper()
        if name in parameters:
            raise Refused(replies.unknown_parameter(name))
        parameters[name] = value if equals else None
    return parameters
