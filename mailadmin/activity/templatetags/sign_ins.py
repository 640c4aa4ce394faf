"""The result of a sign-in, as a badge and in words."""

from __future__ import annotations

from django import template
from django.utils.safestring import SafeString

from mailadmin.activity.models import SignIn
from mailadmin.activity.sign_in_reasons import OK, Reason, reason
from mailadmin.panel.templatetags.panel import badge

register = template.Library()


@register.simple_tag
def sign_in_badge(event: SignIn) -> SafeString:
    """Return the badge of `event`'s result."""
    return badge(reason(event.result).label, "ok" if event.result == OK else "bad")


@register.simple_tag
def sign_in_why(event: SignIn) -> Reason:
    """Return the words for `event`'s result: `label`, `why` and `cure`."""
    return reason(event.result)
