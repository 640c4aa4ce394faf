"""SASLprep by its own examples (RFC 4013 §3)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smtpd.sasl.saslprep import PreparationError, prepare


@pytest.mark.parametrize(
    ("text", "prepared"),
    [
        ("I\u00adX", "IX"),  # RFC 4013 §3, example 1
        ("user", "user"),
        ("USER", "USER"),
        ("\u00aa", "a"),
        ("\u2168", "IX"),
        ("a\u00a0b", "a b"),
        ("ｈａｎａｋｏ", "hanako"),
        ("か\u3099", "が"),
        ("\u0627\u0628", "\u0627\u0628"),
    ],
)
def test_text_is_brought_to_the_form_for_comparison(text: str, prepared: str) -> None:
    assert prepare(text) == prepared


@pytest.mark.parametrize(
    "text",
    [
        "\u0007",  # RFC 4013 §3: prohibited
        "\u06271",  # and the bidirectional check
        "\u0627a\u0628",
        "",
        "\u00ad",
        "a\0b",
        "a\u202eb",
        "\ufeff\u2060",
        "\ue000",
        "a\x7f",
        "\ufffd",
    ],
)
def test_text_that_the_profile_forbids_is_refused(text: str) -> None:
    with pytest.raises(PreparationError):
        prepare(text)


def test_new_characters_pass_in_what_is_sent_and_not_in_what_is_stored() -> None:
    assert prepare("\U0001f600") == "\U0001f600"
    with pytest.raises(PreparationError):
        prepare("\U0001f600", allow_unassigned=False)


@given(st.text(max_size=30))
def test_what_is_prepared_stays_as_it_is(text: str) -> None:
    try:
        prepared = prepare(text)
    except PreparationError:
        return
    assert prepared
    try:
        again = prepare(prepared)
    except PreparationError:
        # A composed character can be right-to-left where its parts were not; it then fails, and never passes changed.
        return
    assert again == prepared
