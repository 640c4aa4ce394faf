"""What the frame around every page needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from django.http import HttpRequest
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from mailadmin.panel import preferences


@dataclass(frozen=True, slots=True)
class Section:
    """An entry of the main navigation."""

    url: str
    label: str | Promise
    icon: str
    current: bool = False


SECTIONS: Final = (
    Section("/", _("Overview"), "house"),
    Section("/accounts/", _("Accounts"), "users"),
    Section("/mail/", _("Mail"), "mail"),
    Section("/sign-ins/", _("Sign-ins"), "key-round"),
    Section("/activity/", _("Activity"), "activity"),
    Section("/settings/", _("Settings"), "settings"),
)


def _is_current(section: Section, path: str) -> bool:
    """Whether `path` is in `section`: the overview is only its own page."""
    return path == "/" if section.url == "/" else path.startswith(section.url)


def shell(request: HttpRequest) -> dict[str, object]:
    """Return the values that the base template uses on every page."""
    return {
        "sections": [
            Section(section.url, section.label, section.icon, _is_current(section, request.path))
            for section in SECTIONS
        ],
        "theme": preferences.theme(request),
        "shortcuts": preferences.shortcuts(request),
    }
