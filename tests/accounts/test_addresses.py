"""Addresses, domains and patterns in normal form."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailadmin.accounts.addresses import AddressError, may_send_as, normal_address, normal_domain, normal_pattern


@pytest.mark.parametrize(
    ("typed", "normal"),
    [
        ("Ichiro@Example.ORG", "ichiro@example.org"),
        ("  ichiro@example.org. ", "ichiro@example.org"),
        ("ichiro@例え.jp", "ichiro@xn--r8jz45g.jp"),
        ("JOSE\u0301@example.org", "jos\u00e9@example.org"),
        ("a+b.c@example.org", "a+b.c@example.org"),
    ],
)
def test_an_address_has_one_normal_form(typed: str, normal: str) -> None:
    assert normal_address(typed) == normal


@pytest.mark.parametrize(
    "typed",
    [
        "", "ichiro", "@example.org", "ichiro@", "a b@example.org", "a\0b@example.org", "a\nb@example.org",
        "<a@example.org", "a..b@example.org", ".a@example.org", "a.@example.org", "a@-example.org", "a@example..org",
        "a@exa mple.org", "x" * 65 + "@example.org", "a@" + "x" * 64 + ".org", '"a b"@example.org', "a@b@c@",
        "a@[192.0.2.1]", "\u202ea@example.org",
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused(typed: str) -> None:
    with pytest.raises(AddressError):
        normal_address(typed)


@given(st.text(max_size=80))
def test_the_normal_form_of_a_normal_form_is_itself(typed: str) -> None:
    try:
        once = normal_address(typed + "@example.org")
    except AddressError:
        return
    assert normal_address(once) == once


@given(st.text(max_size=80))
def test_a_domain_is_normalized_or_refused_and_nothing_else(typed: str) -> None:
    try:
        once = normal_domain(typed)
    except AddressError:
        return
    assert once.isascii()
    assert normal_domain(once) == once


@pytest.mark.parametrize(
    ("typed", "normal"),
    [
        ("A@Example.org", "a@example.org"),
        ("A+*@Example.org", "a+*@example.org"),
        ("@Example.org", "*@example.org"),
        ("*@Example.org", "*@example.org"),
    ],
)
def test_a_pattern_has_one_normal_form(typed: str, normal: str) -> None:
    assert normal_pattern(typed) == normal


@pytest.mark.parametrize("typed", ["", "*", "example.org", "*@", "a*b", "+*@"])
def test_what_is_no_pattern_is_refused(typed: str) -> None:
    with pytest.raises(AddressError):
        normal_pattern(typed)


@pytest.mark.parametrize(
    ("pattern", "address", "covered"),
    [
        ("a@example.org", "a@example.org", True),
        ("a@example.org", "a+x@example.org", False),
        ("a+*@example.org", "a@example.org", True),
        ("a+*@example.org", "a+x@example.org", True),
        ("a+*@example.org", "ab@example.org", False),
        ("a+*@example.org", "a+x@example.net", False),
        ("*@example.org", "anything@example.org", True),
        ("*@example.org", "anything@sub.example.org", False),
        ("*@example.org", "anything@notexample.org", False),
    ],
)
def test_a_pattern_covers_what_it_says_and_no_more(pattern: str, address: str, *, covered: bool) -> None:
    assert may_send_as(frozenset({pattern}), address) is covered
