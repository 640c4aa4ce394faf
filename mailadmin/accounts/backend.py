"""Sign-in to the panel: an address and its main password, of administrators who are not suspended."""

from __future__ import annotations

from django.contrib.auth.backends import ModelBackend


class AddressBackend(ModelBackend):
    """Django's own backend: it looks up by natural key, refuses the suspended, and hashes for unknown names too."""
