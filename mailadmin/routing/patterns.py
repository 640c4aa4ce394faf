"""Which of several patterns of domains holds for a domain (pure: no Django, no I/O)."""

from __future__ import annotations

from collections.abc import Container


def best(patterns: Container[str], domain: str) -> str | None:
    """Return the pattern that holds for `domain`: itself, the longest ``*.suffix``, then ``*``; None when none does.

    Args:
        patterns: in normal form (see `targets.pattern`).
        domain: in normal form: lower-case A-labels.
    """
    if domain in patterns:
        return domain
    rest = domain
    while "." in rest:
        rest = rest.partition(".")[2]
        if (wildcard := f"*.{rest}") in patterns:
            return wildcard
    return "*" if "*" in patterns else None
