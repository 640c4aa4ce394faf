"""How a person wants the panel: colors, shortcut key, time zone, each in a cookie of this browser; and the language.

The server renders them, so a page is right before any script runs.
"""

from __future__ import annotations

import zoneinfo
from typing import Final

from django.http import HttpRequest, HttpResponse

THEMES: Final = ("auto", "light", "dark")
THEME_COOKIE: Final = "mailadmin_theme"
SHORTCUTS_COOKIE: Final = "mailadmin_shortcuts"
# Written by panel.js from what the browser knows; its value is checked here.
ZONE_COOKIE: Final = "mailadmin_zone"
YEAR: Final = 365 * 24 * 3600  # seconds


def theme(request: HttpRequest) -> str:
    """Return the chosen colors: auto follows the device."""
    chosen = request.COOKIES.get(THEME_COOKIE, "auto")
    return chosen if chosen in THEMES else "auto"


def shortcuts(request: HttpRequest) -> bool:
    """Whether the key / jumps to the search field (WCAG 2.1.4: it can be turned off)."""
    return request.COOKIES.get(SHORTCUTS_COOKIE) != "off"


def zone(request: HttpRequest) -> zoneinfo.ZoneInfo | None:
    """Return the browser's time zone, or None while it is unknown."""
    name = request.COOKIES.get(ZONE_COOKIE, "")
    try:
        return zoneinfo.ZoneInfo(name) if name else None
    except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
        return None


def remember(response: HttpResponse, cookie: str, value: str) -> None:
    """Keep a preference in the browser for a year."""
    response.set_cookie(cookie, value, max_age=YEAR, httponly=True, samesite="Lax")
