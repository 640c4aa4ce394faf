"""Looks into the header block of a message and mends what submission may mend, on bytes alone.

Nothing is parsed and written anew: a field is kept as the octets it came in, or left out whole. So ISO-2022-JP, raw
Shift_JIS and odd folding pass as they are (RFC 6409 §8 allows little more than this).

* Left out: Bcc, Resent-Bcc, Return-Path, with their folded lines. Added, behind what the server prepends: Date and
  Message-ID, when there is none.
* The header ends at the blank line or at the first line that is neither a field nor a continuation. Such a line, and
  all behind it, belongs to the body then: it stays where it is, and a blank line is put before it, so that every
  reader further on sees the same header as was judged here. A message without any header is all body.
* A line of white space alone continues the field before it (RFC 5322 §4.2); it does not end the header.
* Exactly one From is needed, with addresses that can be read; Sender, and the first of Resent-From and Resent-Sender,
  must be readable where they are. Whose they are is for the caller to decide.

Two regular expressions do the work: one measures the header, one finds the fields that matter.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Final

from smtpd.smtp import mailboxes, replies
from smtpd.smtp.replies import Refused

_HEADER: Final = re.compile(rb"(?:[!-9;-~]++[ \t]*+:[^\n]*+(?:\n|\Z)(?:[ \t][^\n]*+(?:\n|\Z))*+)*+")
_MATTERS: Final = re.compile(
    rb"\n(?=[BDFMRSbdfmrs])(from|sender|date|message-id|received|bcc|return-path|resent-(?:from|sender|bcc))[ \t]*+:"
    rb"([^\n]*+(?:\n[ \t][^\n]*+)*+)",
    re.IGNORECASE,
)
_LEFT_OUT: Final = frozenset({b"bcc", b"resent-bcc", b"return-path"})
_MESSAGE_ID: Final = re.compile(rb"<[^<>\r\n]*+>")
_MAX_MESSAGE_ID: Final = 255
_HELO: Final = re.compile(r"[A-Za-z0-9._:\[\]-]{1,255}")
_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class Headers:
    """What was found in a header block.

    Attributes:
        from_addresses: of the From field, in normal form.
        sender_addresses: of Sender and the first Resent-From and Resent-Sender; they must be the account's as well.
        has_date: whether there is a Date field.
        message_id: the Message-ID with its brackets, in printable ASCII; empty when there is none.
        received_count: the number of Received fields, which grows with every server passed.
    """

    __slots__ = (
        "_block",
        "_end",
        "_left_out",
        "from_addresses",
        "has_date",
        "has_message_id",
        "message_id",
        "received_count",
        "sender_addresses",
    )

    def __init__(self, block: bytes, end: int) -> None:
        self._block = block
        self._end = end
        self._left_out: list[tuple[int, int]] = []
        self.from_addresses: list[str] = []
        self.sender_addresses: list[str] = []
        self.has_date = False
        self.has_message_id = False
        self.message_id = ""
        self.received_count = 0

    def fixed(self, prepend: bytes, date: bytes, message_id: bytes) -> bytes:
        """Return the block as it goes into the queue from a submission.

        Args:
            prepend: whole fields to put first, each with its CRLF.
            date: the value for a Date field, should there be none.
            message_id: the value for a Message-ID field, with its brackets, should there be none.
        """
        pieces = [prepend]
        if not self.has_date:
            pieces += (b"Date: ", date, b"\r\n")
        if not self.has_message_id:
            pieces += (b"Message-ID: ", message_id, b"\r\n")
        kept = 0
        for start, end in self._left_out:
            pieces.append(self._block[kept:start])
            kept = end
        pieces += (self._block[kept : self._end], self._rest())
        return b"".join(pieces)

    def relayed(self, prepend: bytes) -> bytes:
        """Return the block as it goes into the queue from another server: with `prepend` before it, else as it is."""
        return b"".join((prepend, self._block[: self._end], self._rest()))

    def _rest(self) -> bytes:
        """Return what stands behind the header, with the blank line that a body must have before it."""
        rest = self._block[self._end :]
        return rest if rest in {b"", b"\r\n"} else b"\r\n" + rest


def inspect(block: bytes, *, submission: bool = True) -> Headers:
    """Look into a header block.

    Args:
        block: the message up to and including the blank line, or all of it when it has none; lines end in CRLF.
        submission: whether to hold it to the rules of submission; mail from other servers is only counted, not judged.

    Raises:
        Refused: 550 5.6.0 in words: a NUL in it; on submission also no From, two of them, or no address in it.
    """
    if b"\0" in block:
        raise Refused(replies.HEADER_NUL)
    measured = _HEADER.match(block)
    headers = Headers(block, measured.end() if measured is not None else 0)
    values: dict[bytes, bytes] = {}
    # The expression begins with a line feed, which is quick to look for; the first line gets one for the search.
    for match in _MATTERS.finditer(b"\n" + block, 0, headers._end + 1):  # noqa: SLF001  # its own maker
        name = match[1].lower()
        if name == b"received":
            headers.received_count += 1
        elif name in _LEFT_OUT:
            headers._left_out.append((match.start(), min(match.end(), headers._end)))  # noqa: SLF001
        elif name not in values:
            values[name] = match[2]
        elif submission and name in {b"from", b"sender"}:
            raise Refused(replies.SEVERAL_FROM if name == b"from" else replies.SEVERAL_SENDER)
    headers.has_date = b"date" in values
    message_id = values.get(b"message-id")
    if message_id is not None:
        headers.has_message_id = True
        headers.message_id = _message_id(message_id)
    if submission:
        _judge(headers, values)
    return headers


def _judge(headers: Headers, values: dict[bytes, bytes]) -> None:
    """Read the addresses of those who sent the message, or refuse it."""
    author = values.get(b"from")
    if author is None:
        raise Refused(replies.NO_FROM)
    try:
        headers.from_addresses = mailboxes.addresses(author)
    except mailboxes.UnreadableError:
        raise Refused(replies.UNREADABLE_FROM) from None
    for name in (b"sender", b"resent-from", b"resent-sender"):
        value = values.get(name)
        if value is None:
            continue
        try:
            headers.sender_addresses += mailboxes.addresses(value)
        except mailboxes.UnreadableError:
            raise Refused(replies.UNREADABLE_SENDER) from None


def _message_id(value: bytes) -> str:
    match = _MESSAGE_ID.search(value)
    return replies.printable(match[0] if match is not None else value.strip(), _MAX_MESSAGE_ID)


def protocol(*, extended: bool, tls: bool, authenticated: bool, utf8: bool) -> str:
    """Return the protocol's name for a Received field (RFC 3848 and RFC 6531 §4.3)."""
    if not extended:
        return "SMTP"
    name = "UTF8SMTP" if utf8 else "ESMTP"
    return f"{name}{'S' if tls else ''}{'A' if authenticated else ''}"


def received(*, hostname: str, queue_id: str, date: bytes, protocol: str, client: str = "", helo: str = "") -> bytes:
    """Return a Received field with its CRLF (RFC 5321 §4.4), folded.

    Args:
        hostname: this server's name.
        queue_id: the message's id as people see it.
        date: from `date`.
        protocol: from `protocol`.
        client: the client's IP address; empty on submission, where the people's addresses are nobody's business.
        helo: what the client called itself; only said with `client`.
    """
    origin = ""
    if client:
        name = helo if _HELO.fullmatch(helo) else "unknown"
        literal = f"[IPv6:{client}]" if ":" in client else f"[{client}]"
        origin = f"from {name} ({literal})\r\n\t"
    head = f"Received: {origin}by {hostname} (mailadmin) with {protocol} id {queue_id};\r\n\t"
    return head.encode("ascii", "replace") + date + b"\r\n"


def date(now: datetime) -> bytes:
    """Return `now` as a field has it (RFC 5322 §3.3), in its own time zone."""
    minutes = (now.utcoffset() or timedelta()) // timedelta(minutes=1)
    sign = "-" if minutes < 0 else "+"
    hours, minutes = divmod(abs(minutes), 60)
    return (
        f"{_DAYS[now.weekday()]}, {now.day:02d} {_MONTHS[now.month - 1]} {now.year:04d} "
        f"{now.hour:02d}:{now.minute:02d}:{now.second:02d} {sign}{hours:02d}{minutes:02d}"
    ).encode()
