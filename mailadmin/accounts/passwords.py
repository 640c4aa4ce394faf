"""What a password must be, and a generator of good ones."""

from __future__ import annotations

import secrets
import unicodedata
from typing import Final

from django.contrib.auth import password_validation
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from mailadmin.accounts.models import Account

MAX_OCTETS: Final = 1024
# Nothing that is mistaken for something else, and no shift key on a telephone.
_ALPHABET: Final = "abcdefghjkmnpqrstuvwxyz23456789"
_GROUPS: Final = 4
_GROUP_LENGTH: Final = 6


def generate() -> str:
    """Return a password of 24 random characters (118 bits) in groups joined by hyphens."""
    groups = ("".join(secrets.choice(_ALPHABET) for _letter in range(_GROUP_LENGTH)) for _group in range(_GROUPS))
    return "-".join(groups)


def check(password: str, account: Account) -> None:
    """Refuse a password that is too weak for `account`, or that mail programs cannot send.

    Raises:
        ValidationError: under the key ``password``, with every reason.
    """
    if len(password.encode("utf-8", "replace")) > MAX_OCTETS:
        raise ValidationError({"password": _("This password is too long: 1024 bytes are the limit.")})
    # SASL PLAIN separates its fields by NUL (RFC 4616 §2), and no client sends the other control characters.
    if any(unicodedata.category(character) in {"Cc", "Cs"} for character in password):
        raise ValidationError(
            {"password": _("This password holds a control character, which mail programs cannot send.")}
        )
    try:
        password_validation.validate_password(password, account)
    except ValidationError as error:
        raise ValidationError({"password": error.messages}) from error
