"""bcrypt over SHA-256 (Django's own scheme), at the cost of the setting ``BCRYPT_ROUNDS``.

bcrypt reads 72 bytes and no more; hashing the hexadecimal SHA-256 of the password means that a longer one is never
cut, and that a NUL byte ends nothing.
"""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.hashers import BCryptSHA256PasswordHasher


class CostedBCryptSHA256PasswordHasher(BCryptSHA256PasswordHasher):
    """Django's hasher for ``bcrypt_sha256$…`` texts; only the cost comes from the settings."""

    @property
    def rounds(self) -> int:  # type: ignore[override]  # a plain attribute would be read before tests lower it
        """The base-2 logarithm of the number of rounds."""
        return int(settings.BCRYPT_ROUNDS)
