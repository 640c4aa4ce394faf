"""Base64 in its one form."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smtpd.sasl.encoding import EncodingError, decode, decode_initial


@given(st.binary(max_size=300))
def test_every_octet_comes_back(octets: bytes) -> None:
    assert decode(base64.b64encode(octets)) == octets


@pytest.mark.parametrize(
    "text",
    [
        b"=",
        b"=AAA",
        b"AAA=BBB",
        b"AAAA=",
        b"AAAA====",
        b"AAA",
        b"A",
        b"YR==",
        b"YWJ=",
        b"YWJj\nYWJj",
        b"YWJj YWJj",
        b" YWJj",
        b"YW-_",
        b"*",
        b"YWJj\0",
        "ＹＷＪｊ".encode(),
    ],
)
def test_another_spelling_is_refused(text: bytes) -> None:
    with pytest.raises(EncodingError):
        decode(text)


def test_an_equals_sign_is_an_empty_initial_response_only() -> None:
    assert decode_initial(b"=") == b""
    assert decode_initial(b"AHRlc3QAMTIzNA==") == b"\0test\x001234"
    assert decode(b"") == b""


@given(st.binary(max_size=60))
def test_what_is_taken_is_the_only_spelling_of_it(text: bytes) -> None:
    try:
        octets = decode(text)
    except EncodingError:
        return
    assert base64.b64encode(octets) == text
