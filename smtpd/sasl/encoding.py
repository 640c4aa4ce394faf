"""Base64 as RFC 4954 §4 wants it read: strictly, so that every response has exactly one spelling.

Python's own decoders let some false padding and non-zero trailing bits pass; the text is therefore encoded again and
must come out the same.
"""

from __future__ import annotations

import binascii


class EncodingError(ValueError):
    """The text is not base64 in its one form."""


def decode(text: bytes) -> bytes:
    """Return the octets behind `text`; an empty text is no octets.

    Raises:
        EncodingError: it has a foreign character, wrong padding or stray bits.
    """
    try:
        octets = binascii.a2b_base64(text, strict_mode=True)
    except ValueError as error:
        raise EncodingError(str(error)) from error
    if binascii.b2a_base64(octets, newline=False) != text:
        raise EncodingError("not the canonical form")
    return octets


def decode_initial(text: bytes) -> bytes:
    """Return the octets of an initial response, where ``=`` stands for an empty one (RFC 4954 §4)."""
    return b"" if text == b"=" else decode(text)
