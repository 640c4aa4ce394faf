"""Sign-in to the panel: an address and its main password, of administrators who are not suspended."""

from __future__ import annotations

from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser

from mailadmin.accounts.models import Account


class AddressBackend(ModelBackend):
    """Django's own backend: it looks up by natural key, and hashes for unknown names too.

    The rule is asked again at each request, so whoever is suspended or is no administrator any more is signed out.
    """

    def user_can_authenticate(self, user: AbstractBaseUser | AnonymousUser | None) -> bool:
        """Say whether `user` may use the panel."""
        return isinstance(user, Account) and user.is_active and user.is_administrator
