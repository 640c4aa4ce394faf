"""Which pattern holds for a domain."""

from __future__ import annotations

import pytest

from mailadmin.routing import patterns

PATTERNS = ("*", "*.example.net", "*.a.example.net", "example.net", "*.org")


@pytest.mark.parametrize(
    ("domain", "pattern"),
    [
        ("example.net", "example.net"),
        ("a.example.net", "*.example.net"),
        ("b.a.example.net", "*.a.example.net"),
        ("c.b.a.example.net", "*.a.example.net"),
        ("notexample.net", "*"),
        ("example.org", "*.org"),
        ("org", "*"),
        ("localhost", "*"),
    ],
)
def test_the_most_exact_pattern_holds(domain: str, pattern: str) -> None:
    assert patterns.best(PATTERNS, domain) == pattern


@pytest.mark.parametrize("domain", ["example.com", "net", ""])
def test_without_a_pattern_for_all_others_none_may_hold(domain: str) -> None:
    assert patterns.best(PATTERNS[1:], domain) is None
