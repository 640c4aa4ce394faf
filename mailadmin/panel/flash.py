"""What a view says after a change: a toast on the next page, with Undo where the change can be taken back."""

from __future__ import annotations

from typing import Final

from django.contrib import messages
from django.contrib.messages.storage.base import Message
from django.http import HttpRequest

_UNDO: Final = "undo="
_POLICY: Final = "policy"


def done(request: HttpRequest, text: str, *, undo: str = "", policy: bool = False) -> None:
    """Say that something was done.

    Args:
        request: the request that did it.
        text: a translated sentence.
        undo: the path that takes it back by POST; empty when nothing does.
        policy: whether workers must pick the change up; the toast then says on how many it is in force.
    """
    tags = [_POLICY] if policy else []
    if undo:
        tags.append(_UNDO + undo)
    messages.success(request, text, extra_tags=" ".join(tags))


def problem(request: HttpRequest, text: str) -> None:
    """Say that something could not be done, and what to do instead."""
    messages.error(request, text)


def undo_url(message: Message) -> str:
    """Return the undo path of `message`, or an empty text."""
    for tag in (message.extra_tags or "").split():
        if tag.startswith(_UNDO):
            return tag.removeprefix(_UNDO)
    return ""


def is_policy(message: Message) -> bool:
    """Whether `message` reports a change of policy."""
    return _POLICY in (message.extra_tags or "").split()
