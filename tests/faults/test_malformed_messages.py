"""A message whose MIME structure is broken is the reader's trouble, not ours: it passes octet for octet.

Only what would make its sender unclear, or could change what a server takes for the end of it, is refused in words.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import pytest

from tests import cast
from tests.ground.daemon import Product, Template, wait_until
from tests.ground.wire import signed_in
from tests.interop.test_clients import without_traces

HEAD: Final = (
    f"From: {cast.BECKY.address}\r\nDate: Wed, 1 Apr 2026 09:00:00 +0900\r\nMessage-ID: <malformed@client.test>\r\n"
).encode()
PASSING: Final = {
    "a boundary that never comes": b"Content-Type: multipart/mixed; boundary=never\r\n\r\n--other\r\n\r\ntext\r\n",
    "a boundary that is missing": b"Content-Type: multipart/mixed\r\n\r\n--\r\n\r\ntext\r\n",
    "a boundary of 300 octets": b"Content-Type: multipart/mixed; boundary=" + b"b" * 300 + b"\r\n\r\ntext\r\n",
    "a type that is none": b"Content-Type: ;;;===\r\n\r\ntext\r\n",
    "two types": b"Content-Type: text/plain\r\nContent-Type: text/html\r\n\r\n<p>text\r\n",
    "an encoding that is none": b"Content-Transfer-Encoding: rot13; \xff\r\n\r\ntext\r\n",
    "broken base64": b"Content-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\n===AAA\x80?!\r\n",
    "broken encoded words": b"Subject: =?utf-8?B?=?= =?x?Q?=ZZ?= =?ISO-2022-JP?B?GyRC?=\r\n\r\ntext\r\n",
    "a comment that never ends": b"X-Comment: (((((((\r\n\r\ntext\r\n",
    "no body": b"Subject: nothing follows\r\n",
    "only an empty line": b"\r\n",
    "parts within parts": b"MIME-Version: 1.0\r\n" + b"Content-Type: multipart/x; boundary=b\r\n\r\n--b\r\n" * 1000,
}
REFUSED: Final = {
    "two From fields": b"From: hanako@example.org\r\n\r\ntext\r\n",
    "a NUL in the header": b"Subject: a\0b\r\n\r\ntext\r\n",
    "a bare LF": b"Subject: a\nBcc: victim@example.net\r\n\r\ntext\r\n",
    "a bare CR": b"Subject: a\rb\r\n\r\ntext\r\n",
}


@pytest.fixture(scope="module")
def standing(product_template: Template) -> Iterator[Product]:
    """A running product."""
    product = product_template.copy()
    product.start()
    yield product
    product.remove()


@pytest.mark.parametrize("name", PASSING)
def test_a_broken_structure_passes_as_it_is(standing: Product, name: str) -> None:
    message = HEAD + PASSING[name]
    before = len(standing.mailbox(cast.OUTLOOK))
    with signed_in(standing) as wire:
        assert wire.message(cast.BECKY.address, cast.OUTLOOK.address, message).startswith(b"250")
    wait_until(lambda: len(standing.mailbox(cast.OUTLOOK)) > before, "the message")
    assert without_traces(standing.mailbox(cast.OUTLOOK)[before]) == message


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_is_refused_in_words_and_the_session_goes_on(standing: Product, name: str) -> None:
    before = len(standing.mailbox(cast.OUTLOOK))
    with signed_in(standing) as wire:
        reply = wire.message(cast.BECKY.address, cast.OUTLOOK.address, HEAD + REFUSED[name])
        assert reply.startswith(b"55"), reply
        assert len(reply.split()) > 5, reply
        assert wire.message(cast.BECKY.address, cast.OUTLOOK.address, HEAD + b"\r\ntext\r\n").startswith(b"250")
    wait_until(lambda: len(standing.mailbox(cast.OUTLOOK)) > before, "the message after it")
    assert len(standing.mailbox(cast.OUTLOOK)) == before + 1
