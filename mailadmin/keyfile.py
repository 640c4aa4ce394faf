"""Keys that live outside the database: made at the first start, mode 0600, in the state folder (pure).

``sealing.key`` seals secrets at rest (one key a line, the first one seals, all of them open);
``django.key`` signs sessions and forms. The environment overrides both: ``MAILADMIN_SEALING_KEY`` (comma-separated)
and ``MAILADMIN_SECRET_KEY``.
"""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path

from mailadmin.sealing import Sealer, new_key
from mailadmin.unprivileged import give_to_owner_of_folder


def _read_or_make(path: Path, fresh: str) -> str:
    """Return the file's text; make it with `fresh` when absent (another process may win that race)."""
    with suppress(FileNotFoundError):
        return path.read_text().strip()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o711)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        give_to_owner_of_folder(file.fileno(), path.parent)
        file.write(fresh + "\n")
        file.flush()
        os.fsync(file.fileno())
    with suppress(FileExistsError):
        os.link(temporary, path)
    temporary.unlink()
    return path.read_text().strip()


def secret_key(home: Path) -> str:
    """Return Django's SECRET_KEY, made in `home` at the first call."""
    return os.environ.get("MAILADMIN_SECRET_KEY") or _read_or_make(home / "django.key", secrets.token_urlsafe(48))


def sealer(home: Path) -> Sealer:
    """Return the sealer whose keys live in `home` (or in ``MAILADMIN_SEALING_KEY``)."""
    text = os.environ.get("MAILADMIN_SEALING_KEY") or _read_or_make(home / "sealing.key", new_key())
    return Sealer([key for key in text.replace(",", "\n").split() if key])
