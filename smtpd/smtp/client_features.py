"""What a server offered in its answer to EHLO or LHLO (sans-IO; RFC 5321 §4.1.1.1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from smtpd.smtp.client_replies import Reply


@dataclass(frozen=True, slots=True)
class Features:
    """Keywords in upper case with what stands behind them, and the reply they came in; both empty after HELO."""

    keywords: Mapping[str, str] = field(default_factory=dict)
    raw: str = ""

    @classmethod
    def of(cls, reply: Reply) -> Features:
        """Read the reply to EHLO: its first line is a greeting, each other line a keyword and its arguments."""
        keywords: dict[str, str] = {}
        for line in reply.lines[1:]:
            keyword, _, arguments = line.strip().partition(" ")
            name = keyword.upper()
            if name.startswith("AUTH="):  # the form of before RFC 2554, which some servers still give beside AUTH
                name, arguments = "AUTH", f"{keyword[5:]} {arguments}"
                arguments = f"{keywords.get('AUTH', '')} {arguments}"
            keywords[name] = arguments.strip()
        return cls(keywords, reply.raw)

    def __contains__(self, keyword: str) -> bool:
        return keyword in self.keywords

    @property
    def mechanisms(self) -> frozenset[str]:
        """The SASL mechanisms offered, in upper case."""
        return frozenset(self.keywords.get("AUTH", "").upper().split())

    @property
    def size_limit(self) -> int | None:
        """The largest message in octets, or None when the server names no limit (RFC 1870 §4)."""
        return _number(self.keywords.get("SIZE", "")) or None

    def limit(self, name: str) -> int | None:
        """Return a limit of RFC 9422, such as RCPTMAX, or None when the server does not name it."""
        for item in self.keywords.get("LIMITS", "").split():
            key, _, value = item.partition("=")
            if key.upper() == name:
                return _number(value) or None
        return None


def _number(text: str) -> int:
    """Return a decimal number of at most 20 digits (RFC 1870 §3), else 0."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 20 else 0  # noqa: PLR2004
