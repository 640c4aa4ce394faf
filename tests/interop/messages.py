"""The messages that every client sends: each has all header fields, so that nothing but traces may be added."""

from __future__ import annotations

import base64
import itertools
from dataclasses import dataclass
from typing import Final

from tests import cast

LOCAL: Final = cast.OUTLOOK.address
FAR: Final = "friend@example.net"
FAR_UTF8: Final = "\u5229\u7528\u8005@example.net"
_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Letter:
    """A message and whom it is for: one recipient in a mailbox here, one behind the smarthost.

    Args:
        name: what it tries.
        data: the octets, lines ended by CRLF.
        far: the recipient behind the smarthost.
        eight_bit: whether there are octets above 127.
    """

    name: str
    data: bytes
    far: str = FAR
    eight_bit: bool = False

    @property
    def recipients(self) -> tuple[str, str]:
        """All of them."""
        return LOCAL, self.far

    @property
    def utf8(self) -> bool:
        """Whether only SMTPUTF8 can carry it."""
        return not self.far.isascii()


def _letter(name: str, header: bytes, body: bytes, **more: str | bool) -> Letter:
    number = next(_numbers)
    fixed = (
        f"From: {cast.BECKY.name} <{cast.BECKY.address}>\r\nTo: {LOCAL}\r\n"
        f"Date: Wed, 1 Apr 2026 09:00:{number:02} +0900\r\nMessage-ID: <letter-{number}@client.test>\r\n"
    )
    return Letter(name, fixed.encode() + header + b"\r\n" + body, **more)  # type: ignore[arg-type]  # by keyword


PLAIN: Final = _letter(
    "plain",
    b"Subject: plain\r\n",
    b".\r\n..\r\n.a line that begins with a dot\r\nspaces at the end   \r\n\ttab\r\n"
    + b"x" * 998
    + b"\r\n\r\n\r\n.\r\nFrom the start of a line\r\nthe end, and two empty lines\r\n\r\n\r\n",
)

_PART = base64.encodebytes(bytes(range(256)) * 40).replace(b"\n", b"\r\n")
MIME: Final = _letter(
    "MIME",
    b"Subject: =?UTF-8?B?44GT44KT44Gr44Gh44Gv?=\r\n =?UTF-8?Q?_=F0=9F=8D=A3?=\r\nX-Folded: one\r\n\ttwo\r\n  three\r\n"
    b'MIME-Version: 1.0\r\nContent-Type: multipart/mixed;\r\n\tboundary="=_b.1"\r\n',
    b"a preamble\r\n--=_b.1\r\nContent-Type: text/plain; charset=utf-8\r\n"
    b"Content-Transfer-Encoding: quoted-printable\r\n\r\n=E3=81=93=E3=82=93=E3=81=AB=\r\n=E3=81=A1=E3=81=AF\r\n"
    b"--=_b.1\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    + _PART
    + b"--=_b.1--\r\nan epilogue\r\n",
)

_GREETING = "\u3053\u3093\u306b\u3061\u306f\u3002\u65e5\u672c\u8a9e\u306e\u672c\u6587\u3067\u3059\u3002\r\n"
ISO_2022_JP: Final = _letter(
    "ISO-2022-JP",
    b"Subject: =?ISO-2022-JP?B?"
    + base64.b64encode("\u65e5\u672c\u8a9e".encode("iso-2022-jp"))
    + b"?=\r\nMIME-Version: 1.0\r\n"
    b"Content-Type: text/plain; charset=ISO-2022-JP\r\nContent-Transfer-Encoding: 7bit\r\n"
    b"X-Mailer: Becky! ver. 2.81\r\n",
    _GREETING.encode("iso-2022-jp") * 20 + b"\x1b$B.\x1b(B\r\n",
)

EIGHT_BIT: Final = _letter(
    "8-bit",
    b"Subject: raw octets\r\nX-Raw: "
    + "\u65e5\u672c".encode("shift_jis")
    + b"\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=Shift_JIS\r\nContent-Transfer-Encoding: 8bit\r\n",
    _GREETING.encode("shift_jis") + bytes(byte for byte in range(1, 256) if byte not in b"\r\n") + b"\r\n",
    eight_bit=True,
)

SMTPUTF8: Final = _letter(
    "SMTPUTF8",
    f"Subject: \u6625 \U0001f338\r\nCc: \u5229\u7528\u8005 <{FAR_UTF8}>\r\n".encode(),
    _GREETING.encode(),
    far=FAR_UTF8,
    eight_bit=True,
)

LARGE: Final = _letter(
    "20 MB",
    b"Subject: large\r\nMIME-Version: 1.0\r\nContent-Type: text/plain\r\n",
    b"".join(b"%07d %s\r\n" % (number, b"abcdefghij" * 6) for number in range(300_000)),
)

LETTERS: Final = (PLAIN, MIME, ISO_2022_JP, EIGHT_BIT, SMTPUTF8, LARGE)
