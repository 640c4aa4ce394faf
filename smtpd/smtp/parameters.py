"""The parameters of MAIL and RCPT that this server offers, with their values checked.

SIZE (RFC 1870), BODY (RFC 6152), SMTPUTF8 (RFC 6531), RET, ENVID, NOTIFY and ORCPT (RFC 3461), AUTH (RFC 4954). What
was not offered is 555, a wrong value 501. ENVID comes out decoded, for a notice names it so (RFC 3464 §2.2.1), and is
put into xtext again where it travels on; ORCPT stays as it was given.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

from smtpd.smtp import replies
from smtpd.smtp.replies import Refused

_MAX_ENVID: Final = 100  # RFC 3461 §5.4, with xtext encoding
_MAX_ORCPT: Final = 500  # RFC 3461 §5.4
_NUMBER: Final = re.compile(r"[0-9]{1,20}")  # RFC 1870 §3
_XTEXT: Final = re.compile(r"(?:[!-*,-<>-~]|\+[0-9A-F]{2})*")  # RFC 3461 §4
_UNITEXT: Final = re.compile(r"(?:[!-*,-<>-~\x80-\U0010ffff]|\+[0-9A-F]{2}|\\x\{[0-9A-F]{2,6}\})*")  # RFC 6533 §3
_ATOM: Final = re.compile(r"[A-Za-z0-9!#$%&'*/?^_`{|}~-]{1,64}")
_CONDITIONS: Final = ("SUCCESS", "FAILURE", "DELAY")

Body = Literal["", "7BIT", "8BITMIME"]
Return = Literal["", "FULL", "HDRS"]


class MailParameters(NamedTuple):
    """The parameters of MAIL. `auth` is None when there was none, and empty for ``AUTH=<>``; `envid` is decoded."""

    size: int = 0
    body: Body = ""
    smtputf8: bool = False
    ret: Return = ""
    envid: str = ""
    auth: str | None = None


class RcptParameters(NamedTuple):
    """The parameters of RCPT: `notify` in upper case and a fixed order, `orcpt` as ``type;xtext``; empty for none."""

    notify: str = ""
    orcpt: str = ""


_NO_RCPT_PARAMETERS: Final = RcptParameters()


def mail_parameters(raw: Mapping[str, str | None], *, size_limit: int) -> MailParameters:
    """Check the parameters of MAIL.

    Args:
        raw: names in upper case and values, from `paths.parse_mail`.
        size_limit: the largest message taken, in octets; 0 for no limit.

    Raises:
        Refused: 552 for a SIZE above the limit, 555 for an unknown name, 501 for a wrong value.
    """
    size: int = 0
    body: Body = ""
    smtputf8 = False
    ret: Return = ""
    envid = ""
    auth: str | None = None
    for name, value in raw.items():
        match name:
            case "SIZE":
                size = _size(value, size_limit)
            case "BODY":
                body = _body(value)
            case "SMTPUTF8":
                if value is not None:
                    raise Refused(replies.bad_parameter(name))
                smtputf8 = True
            case "RET":
                ret = _ret(value)
            case "ENVID":
                envid = decode_xtext(_xtext(name, value, _MAX_ENVID)).decode()
            case "AUTH":
                # Taken and not believed: who the client is was settled by its own sign-in (RFC 4954 §5).
                auth = "" if value == "<>" else _auth(value)
            case _:
                raise Refused(replies.unknown_parameter(name))
    return MailParameters(size, body, smtputf8, ret, envid, auth)


def rcpt_parameters(raw: Mapping[str, str | None]) -> RcptParameters:
    """Check the parameters of RCPT.

    Args:
        raw: names in upper case and values, from `paths.parse_rcpt`.

    Raises:
        Refused: 555 for an unknown name, 501 for a wrong value.
    """
    if not raw:
        return _NO_RCPT_PARAMETERS
    notify = orcpt = ""
    for name, value in raw.items():
        if name == "NOTIFY":
            notify = _notify(value)
        elif name == "ORCPT":
            orcpt = _orcpt(value)
        else:
            raise Refused(replies.unknown_parameter(name))
    return RcptParameters(notify, orcpt)


def decode_xtext(text: str) -> bytes:
    """Return the octets behind xtext (RFC 3461 §4); ValueError when `text` is none."""
    if _XTEXT.fullmatch(text) is None:
        raise ValueError("not xtext")
    return re.sub(rb"\+([0-9A-F]{2})", lambda match: bytes((int(match[1], 16),)), text.encode())


def encode_xtext(octets: bytes) -> str:
    """Return `octets` as xtext (RFC 3461 §4)."""
    return "".join(chr(o) if 0x21 <= o <= 0x7E and o not in b"+=" else f"+{o:02X}" for o in octets)  # noqa: PLR2004  # ! to ~


def _size(value: str | None, limit: int) -> int:
    if value is None or _NUMBER.fullmatch(value) is None:
        raise Refused(replies.bad_parameter("SIZE"))
    size = int(value)
    if limit and size > limit:
        raise Refused(replies.message_too_big(limit))
    return size


def _body(value: str | None) -> Body:
    match (value or "").upper():
        case "8BITMIME":
            return "8BITMIME"
        case "7BIT":
            return "7BIT"
        case _:
            raise Refused(replies.bad_parameter("BODY"))


def _ret(value: str | None) -> Return:
    match (value or "").upper():
        case "FULL":
            return "FULL"
        case "HDRS":
            return "HDRS"
        case _:
            raise Refused(replies.bad_parameter("RET"))


def _auth(value: str | None) -> str:
    if value is None or _XTEXT.fullmatch(value) is None:
        raise Refused(replies.bad_parameter("AUTH"))
    return value


def _xtext(name: str, value: str | None, limit: int) -> str:
    """Return xtext whose octets are printable ASCII: it goes into the fields of a notice (RFC 3461 §4.4)."""
    if not value or len(value) > limit or _XTEXT.fullmatch(value) is None or not _is_printable(decode_xtext(value)):
        raise Refused(replies.bad_parameter(name))
    return value


def _notify(value: str | None) -> str:
    """Return NOTIFY in upper case; NEVER stands alone (RFC 3461 §4.1)."""
    words = (value or "").upper().split(",")
    if words == ["NEVER"]:
        return "NEVER"
    if len(set(words)) != len(words) or not set(words) <= set(_CONDITIONS):
        raise Refused(replies.bad_parameter("NOTIFY"))
    return ",".join(condition for condition in _CONDITIONS if condition in words)


def _orcpt(value: str | None) -> str:
    """Return ORCPT, ``type;address``: xtext, or for type utf-8 (RFC 6533 §3) UTF-8 as well.

    Postfix writes an address in UTF-8 as rfc822 and its octets as xtext; that passes, control characters do not.
    """
    kind, _, address = (value or "").partition(";")
    if not address or len(value or "") > _MAX_ORCPT or _ATOM.fullmatch(kind) is None:
        raise Refused(replies.bad_parameter("ORCPT"))
    if kind.lower() == "utf-8":
        escapes = bytes(int(code, 16) for code in re.findall(r"\+([0-9A-F]{2})", address))
        plain = all(c.isascii() or c.isprintable() for c in address)
        if _UNITEXT.fullmatch(address) is None or not plain or not _is_printable(escapes):
            raise Refused(replies.bad_parameter("ORCPT"))
        return f"{kind};{address}"
    if _XTEXT.fullmatch(address) is None or not _is_text(decode_xtext(address)):
        raise Refused(replies.bad_parameter("ORCPT"))
    return f"{kind};{address}"


def _is_text(octets: bytes) -> bool:
    try:
        return octets.decode("utf-8").isprintable()
    except UnicodeDecodeError:
        return False


def _is_printable(octets: bytes) -> bool:
    return all(0x20 <= octet <= 0x7E for octet in octets)  # noqa: PLR2004  # space to tilde
