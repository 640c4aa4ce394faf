"""The one sealer of this process, with the keys of the state folder (see `mailadmin.keyfile`)."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final

from django.conf import settings

from mailadmin import keyfile
from mailadmin.sealing import Sealer

# What a sealed text is for; a text sealed for one purpose does not open for another.
CERTIFICATE_KEY: Final = "certificate.key"
SMARTHOST_PASSWORD: Final = "smarthost.password"  # noqa: S105  # the purpose, not a password


@cache
def _of(home: Path) -> Sealer:
    return keyfile.sealer(home)


def sealer() -> Sealer:
    """Return the sealer; its keys are read (or made) at the first call.

    Raises:
        OSError: the key file can be neither read nor made.
        ValueError: the key file holds no key.
    """
    return _of(Path(settings.HOME))


def seal(secret: str, purpose: str) -> str:
    """Return `secret` sealed for `purpose`; the empty text stays empty."""
    return sealer().seal(secret.encode(), purpose) if secret else ""


def unseal(sealed: str, purpose: str) -> str:
    """Return the secret that was sealed for `purpose`; the empty text stays empty.

    Raises:
        SealBrokenError: no key opens it, or it was sealed for something else.
    """
    return sealer().open(sealed, purpose).decode() if sealed else ""
