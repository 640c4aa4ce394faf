"""What the frame around every page needs."""

from __future__ import annotations

from django.http import HttpRequest


def shell(request: HttpRequest) -> dict[str, object]:
    """Return the values that the base template uses on every page."""
    return {"path": request.path}
