"""SASLprep: user names and passwords in the form in which they are compared (RFC 4013, a profile of RFC 3454)."""

from __future__ import annotations

import stringprep
import unicodedata
from typing import Final

_PROHIBITED: Final = (
    stringprep.in_table_c12,
    stringprep.in_table_c21_c22,
    stringprep.in_table_c3,
    stringprep.in_table_c4,
    stringprep.in_table_c5,
    stringprep.in_table_c6,
    stringprep.in_table_c7,
    stringprep.in_table_c8,
    stringprep.in_table_c9,
)


class PreparationError(ValueError):
    """The text has a character that the profile forbids, or nothing is left of it."""


def prepare(text: str, *, allow_unassigned: bool = True) -> str:
    """Return `text` in the form for comparison.

    Args:
        text: as it was typed.
        allow_unassigned: whether code points beyond Unicode 3.2 pass: yes for what a client sends (a query, RFC 3454
            §7), no for what is to be stored.

    Raises:
        PreparationError: the profile forbids it, or it comes out empty.
    """
    if text.isascii() and text.isprintable():
        prepared = text
    else:
        mapped = "".join(" " if stringprep.in_table_c12(c) else c for c in text if not stringprep.in_table_b1(c))
        prepared = unicodedata.ucd_3_2_0.normalize("NFKC", mapped)
        _check(prepared, allow_unassigned=allow_unassigned)
    if not prepared:
        raise PreparationError("nothing is left")
    return prepared


def _check(text: str, *, allow_unassigned: bool) -> None:
    for character in text:
        if any(prohibited(character) for prohibited in _PROHIBITED):
            raise PreparationError("a character that is not allowed")
        if not allow_unassigned and stringprep.in_table_a1(character):
            raise PreparationError("a character that Unicode 3.2 does not have")
    # RFC 3454 §6: text with a right-to-left character has no left-to-right one, and such a one at both ends.
    if any(stringprep.in_table_d1(character) for character in text):
        ends = stringprep.in_table_d1(text[0]) and stringprep.in_table_d1(text[-1])
        if not ends or any(stringprep.in_table_d2(character) for character in text):
            raise PreparationError("right-to-left and left-to-right characters are mixed")
