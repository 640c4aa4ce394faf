"""Text that a stranger chose (HELO names, addresses, replies of other servers), made safe to look at.

Django's escaping keeps it from being markup. This keeps it from lying: control characters become visible signs, and
the invisible ones that turn the direction of writing or have no width are spelled out. ``<bdi>`` keeps the direction
of what is left from spilling into the sentence around it.
"""

from __future__ import annotations

import unicodedata
from typing import Final

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

register = template.Library()

_CONTROL_PICTURES: Final = 0x2400
_DELETE: Final = 0x7F
_HIDDEN: Final = frozenset({"Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp"})


def visible(text: str) -> str:
    """Return `text` with every control or invisible character as a sign that can be seen."""
    return "".join(map(_sign, text)) if not text.isascii() or not text.isprintable() else text


def _sign(character: str) -> str:
    number = ord(character)
    if number < 0x20:  # noqa: PLR2004  # the C0 controls end there
        return chr(_CONTROL_PICTURES + number)
    if number == _DELETE:
        return "\u2421"
    if unicodedata.category(character) in _HIDDEN:
        return f"\u27e8U+{number:04X}\u27e9"
    return character


@register.filter
def foreign(text: object) -> SafeString:
    """Return the text as an isolated, escaped piece of HTML with nothing hidden in it."""
    return format_html("<bdi>{}</bdi>", visible("" if text is None else str(text)))


@register.filter
def foreign_text(text: object) -> str:
    """Return the text with nothing hidden in it, for an attribute or a title."""
    return visible("" if text is None else str(text))
