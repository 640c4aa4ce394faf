"""The components that pages are made of, as template tags (see the head of templates/base.html)."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from django import template
from django.contrib.messages import constants
from django.contrib.messages.storage.base import Message
from django.template.context import Context
from django.template.loader_tags import BLOCK_CONTEXT_KEY
from django.templatetags.static import static
from django.utils import formats, timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from mailadmin.generation import services as generation
from mailadmin.panel import flash

register = template.Library()

UNITS: Final = ("B", "kB", "MB", "GB", "TB")
THOUSAND: Final = 1000
TEN: Final = 10
TONES: Final = ("ok", "wait", "bad", "info", "quiet")
_TONE_OF_LEVEL: Final = {constants.SUCCESS: "ok", constants.INFO: "info", constants.WARNING: "wait"}
_ICON_OF_TONE: Final = {"ok": "circle-check", "info": "info", "wait": "triangle-alert", "bad": "circle-alert"}


@register.simple_tag
def icon(name: str) -> SafeString:
    """Return the icon `name` of the sprite, hidden from screen readers: the text beside it says the same."""
    return format_html(
        '<svg class="icon" aria-hidden="true" focusable="false"><use href="{}#{}"></use></svg>',
        static("vendor/lucide/sprite.svg"),
        name,
    )


@register.simple_tag
def badge(text: object, tone: str = "quiet") -> SafeString:
    """Return a small label in a tone of `TONES`.

    Raises:
        ValueError: the tone is none of them.
    """
    if tone not in TONES:
        raise ValueError(f"badge: {tone!r} is none of {', '.join(TONES)}")
    return format_html('<span class="badge" data-tone="{}">{}</span>', tone, text)


@register.inclusion_tag("components/when.html")
def when(value: datetime | None, form: str = "short") -> dict[str, object]:
    """Return a ``<time>`` in the zone of the person who looks; form "long" has seconds."""
    if value is None:
        return {"value": None}
    local = timezone.localtime(value)
    full = f"{formats.date_format(local, 'DATE_FORMAT')} {local:%H:%M:%S %Z}"
    same_day = local.date() == timezone.localdate()
    text = full if form == "long" else f"{local:%H:%M}" if same_day else f"{local:%Y-%m-%d %H:%M}"
    return {"value": value, "full": full, "text": text, "long": form == "long"}


@register.inclusion_tag("components/copy.html")
def copy(value: object, label: object = "") -> dict[str, object]:
    """Return a value with a button that copies it; `label` names the value for screen readers."""
    return {"value": value, "label": label}


@register.inclusion_tag("components/in_force.html")
def in_force() -> dict[str, object]:
    """Return on how many workers the policy is in force now."""
    return {"reach": generation.reach(timezone.now())}


@register.inclusion_tag("components/pause.html")
def pause_button() -> dict[str, object]:
    """Return the button that stops and starts the live part around it."""
    return {}


@register.simple_tag(takes_context=True)
def again(context: Context, name: str) -> SafeString:
    """Return the text of a block once more: the heading and the browser's tab share one."""
    blocks = context.render_context[BLOCK_CONTEXT_KEY]
    node = blocks.get_block(name)
    return mark_safe("") if node is None else SafeString(node.render(context))


@register.filter
def octets(number: float) -> str:
    """Return a size by powers of a thousand, as the forms of limits and the makers of disks count."""
    size = float(number)
    for unit in UNITS:
        if size < THOUSAND or unit == UNITS[-1]:
            break
        size /= THOUSAND
    digits = 0 if size >= TEN or size.is_integer() else 1
    return f"{formats.number_format(size, digits)}\N{NO-BREAK SPACE}{unit}"


@register.filter
def tone(message: Message) -> str:
    """Return the tone of a message by its level."""
    return _TONE_OF_LEVEL.get(message.level, "bad")


@register.filter
def tone_icon(message: Message) -> str:
    """Return the icon for a message's tone."""
    return _ICON_OF_TONE[tone(message)]


@register.filter
def undo_url(message: Message) -> str:
    """Return where a POST takes back what the message reports, or an empty text."""
    return flash.undo_url(message)


@register.filter
def is_policy(message: Message) -> bool:
    """Whether the message reports a change that the daemon's workers pick up."""
    return flash.is_policy(message)
