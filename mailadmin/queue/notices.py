"""Write delivery status notices: bytes of a message from the facts of a delivery (pure).

A notice is a multipart/report (RFC 6522) of three parts: a text for people, in Japanese and English since nobody knows
which its reader reads; the same facts for programs (RFC 3464); and the original's header block, or the whole of it. The
last two take their UTF-8 forms (RFC 6533) when the original was an SMTPUTF8 message. RFC 3461 says who gets one; that
is decided in `mailadmin.queue.reporting`.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Final, Literal

from mailadmin.queue.wording import Kind, subject, text

Action = Literal["failed", "delayed", "delivered", "relayed"]

_FOLD_AT: Final = 200  # octets; far below the 998 of RFC 5322 §2.1.1
_XTEXT: Final = re.compile(r"(?:\+[0-9A-F]{2})+")  # a run of octets, RFC 3461 §4; Postfix writes UTF-8 so
_UNITEXT: Final = re.compile(r"\\x\{([0-9A-Fa-f]{2,6})\}")  # RFC 6533 §3
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]+")
_HEADER_END: Final = b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one recipient.

    Args:
        address: the recipient, as accepted.
        action: RFC 3464 §2.3.3.
        status: the enhanced status code.
        at: when it was tried last.
        orcpt: the original recipient as the client gave it (``type;xtext``), or empty.
        peer: the server that answered, ``name[address]:port``, or empty.
        code: its SMTP reply code, or 0 when it gave none.
        reply: its words, or ours when it gave none.
        retry_until: for a delay: when the mail is given up.
    """

    address: str
    action: Action
    status: str
    at: datetime
    orcpt: str = ""
    peer: str = ""
    code: int = 0
    reply: str = ""
    retry_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Notice:
    """The facts of a notice.

    Args:
        kind: failed, delayed or delivered; all `outcomes` are of this kind.
        hostname: this server's name.
        queue_id: the original's.
        notice_id: the queue id of the notice; with `hostname` its Message-ID.
        boundary: a text that the original cannot contain, so random.
        to: the original's envelope sender.
        now: the date of the notice.
        arrived_at: when the original was accepted.
        envid: the client's envelope id, decoded (RFC 3461 §4.4), or empty.
        message_id: the original's Message-ID field, or empty.
        smtputf8: whether the original needed SMTPUTF8.
        original: the header block or the whole message, as stored.
        whole: which of the two.
        outcomes: at least one.
    """

    kind: Kind
    hostname: str
    queue_id: str
    notice_id: str
    boundary: str
    to: str
    now: datetime
    arrived_at: datetime
    envid: str
    message_id: str
    smtputf8: bool
    original: bytes
    whole: bool
    outcomes: tuple[Outcome, ...]


def header_block(original: bytes) -> bytes:
    """Return the header block of a message (or of its first octets), without the blank line after it."""
    if original.startswith(b"\r\n"):
        return b""
    end = original.find(_HEADER_END)
    return original if end < 0 else original[: end + 2]


def render(notice: Notice) -> bytes:
    """Return the notice as a message: CRLF line ends, ASCII but for what the original or its addresses bring."""
    mark = f"--{notice.boundary}\r\n".encode()
    parts = (_people(notice), _programs(notice), _original(notice))
    return _head(notice) + b"".join(mark + part for part in parts) + f"--{notice.boundary}--\r\n".encode()


def _head(notice: Notice) -> bytes:
    lines = [
        f"From: Mail Delivery System <MAILER-DAEMON@{notice.hostname}>",
        f"To: <{_clean(notice.to)}>",
        f"Subject: {_encoded_words(subject(notice.kind))}",
        f"Date: {format_datetime(notice.now.astimezone(UTC))}",
        f"Message-ID: <{notice.notice_id}@{notice.hostname}>",
    ]
    if notice.message_id:
        lines.append(f"References: {_clean(notice.message_id)}")
    lines += [
        "Auto-Submitted: auto-replied",  # RFC 3834 §5: in reply to a message, so not auto-generated
        "MIME-Version: 1.0",
        "Content-Type: multipart/report; report-type=delivery-status;",
        f' boundary="{notice.boundary}"',
        "",
        "",
    ]
    return "\r\n".join(lines).encode()


def _people(notice: Notice) -> bytes:
    words = text(
        notice.kind,
        hostname=notice.hostname,
        queue_id=notice.queue_id,
        recipients=[_for_people(outcome) for outcome in notice.outcomes],
        retry_until=max((o.retry_until for o in notice.outcomes if o.retry_until), default=None),
        whole=notice.whole,
    )
    encoded = base64.encodebytes(words.replace("\n", "\r\n").encode()).replace(b"\n", b"\r\n")
    return b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n" + encoded + b"\r\n"


def _for_people(outcome: Outcome) -> str:
    words = " ".join(filter(None, (str(outcome.code or ""), outcome.status if outcome.code else "", outcome.reply)))
    said = f"{outcome.peer}: {words}" if outcome.peer and words else words
    return f"<{_clean(outcome.address)}>" + (f"\n    {_clean(said)}" if said else "")


def _programs(notice: Notice) -> bytes:
    """Return the part of RFC 3464 §2, in UTF-8 for a UTF-8 message (RFC 6533 §3)."""
    fields = [("Reporting-MTA", f"dns; {notice.hostname}"), ("X-Queue-ID", notice.queue_id)]
    if notice.envid:
        fields.insert(0, ("Original-Envelope-Id", notice.envid))
    fields.append(("Arrival-Date", format_datetime(notice.arrived_at.astimezone(UTC))))
    groups = [fields, *(_recipient_fields(outcome, utf8=notice.smtputf8) for outcome in notice.outcomes)]
    encoding = "utf-8" if notice.smtputf8 else "ascii"
    block = "\r\n".join("".join(_field(name, value) for name, value in group) for group in groups)
    content = block.encode(encoding, "replace")
    kind = "global-delivery-status" if notice.smtputf8 else "delivery-status"
    return _part(f"message/{kind}", content) + b"\r\n"


def _recipient_fields(outcome: Outcome, *, utf8: bool) -> list[tuple[str, str]]:
    """Return the fields of RFC 3464 §2.3 for one recipient."""
    fields = []
    if outcome.orcpt:
        fields.append(("Original-Recipient", _original_recipient(outcome.orcpt)))
    kind = "utf-8" if utf8 and not outcome.address.isascii() else "rfc822"
    fields += [
        ("Final-Recipient", f"{kind}; {outcome.address}"),
        ("Action", outcome.action),
        ("Status", outcome.status),
    ]
    if outcome.peer and outcome.code:
        fields.append(("Remote-MTA", f"dns; {outcome.peer.partition('[')[0]}"))
    if outcome.code:
        fields.append(("Diagnostic-Code", f"smtp; {outcome.code} {outcome.status} {outcome.reply}"))
    elif outcome.reply and outcome.action in {"failed", "delayed"}:
        fields.append(("Diagnostic-Code", f"x-mailadmin; {outcome.reply}"))
    fields.append(("Last-Attempt-Date", format_datetime(outcome.at.astimezone(UTC))))
    if outcome.retry_until:
        fields.append(("Will-Retry-Until", format_datetime(outcome.retry_until.astimezone(UTC))))
    return fields


def _original(notice: Notice) -> bytes:
    if notice.whole:
        return _part("message/global" if notice.smtputf8 else "message/rfc822", notice.original) + b"\r\n"
    return _part("message/global-headers" if notice.smtputf8 else "text/rfc822-headers", notice.original) + b"\r\n"


def _part(content_type: str, content: bytes) -> bytes:
    """Return a body part; `content` goes as it is, under the label that is true of it."""
    encoding = b"" if content.isascii() else b"Content-Transfer-Encoding: 8bit\r\n"
    return f"Content-Type: {content_type}\r\n".encode() + encoding + b"\r\n" + content


def _original_recipient(orcpt: str) -> str:
    """Return ``type; address`` from an ORCPT value, its encoding undone (RFC 3461 §4.2, RFC 6533 §3)."""
    kind, _, value = orcpt.partition(";")
    if kind.lower() == "utf-8":
        value = _UNITEXT.sub(_code_point, value)
    return f"{kind}; {_XTEXT.sub(lambda run: bytes.fromhex(run[0].replace('+', '')).decode(errors='replace'), value)}"


def _code_point(match: re.Match[str]) -> str:
    """Return the character of an embedded unicode char, or it as written when there is no such character."""
    number = int(match[1], 16)
    return chr(number) if number <= 0x10FFFF else match[0]  # noqa: PLR2004  # the last code point


def _field(name: str, value: str) -> str:
    """Return a header field, folded where it is long; nothing in `value` can start another one."""
    rest = _clean(value)
    lines = [rest[start : start + _FOLD_AT] for start in range(0, len(rest), _FOLD_AT)] or [""]
    return f"{name}: " + "\r\n ".join(lines) + "\r\n"


def _clean(value: str) -> str:
    """Return `value` on one line, without control characters."""
    return _CONTROL.sub(" ", value).strip()


def _encoded_words(value: str) -> str:
    """Return `value` as RFC 2047 encoded words of at most 75 characters."""
    return "\r\n ".join(f"=?utf-8?B?{base64.b64encode(piece).decode()}?=" for piece in _pieces(value, 42))


def _pieces(value: str, most: int) -> Iterable[bytes]:
    """Yield the UTF-8 of `value` in pieces of at most `most` octets that cut no character."""
    piece = b""
    for character in value:
        octets = character.encode()
        if len(piece) + len(octets) > most:
            yield piece
            piece = b""
        piece += octets
    yield piece
