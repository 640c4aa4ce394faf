"""What can be wrong with an installation before any row is read, as Django system checks with stable ids.

`manage.py check` and `manage.py doctor` run them, in English as all of the command line. The databases are not touched
here; what is wrong while the server runs is found by `mailadmin.panel.health` and `mailadmin.server.diagnosis`.

    mailadmin.E001  a 250 would not survive a power cut
    mailadmin.E002  the state folder cannot be written
    mailadmin.E003  the sealing key cannot be read
    mailadmin.W001  running as root
    mailadmin.W002  others can read what is secret
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from django.apps import AppConfig
from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error
from django.core.checks import Warning as CheckWarning

from mailadmin import env, secretbox

TAG: Final = "mailadmin"


def register() -> None:
    """Make the checks known to Django; the app `mailadmin.server` calls this once when it is ready."""
    for check in CHECKS:
        checks.register(check, TAG)


def durability(app_configs: Sequence[AppConfig] | None, **_options: Any) -> list[CheckMessage]:
    """Refuse a SQLite that answers before the disk has it (MAILADMIN_SQLITE_SYNCHRONOUS below FULL)."""
    del app_configs
    level = env.sqlite_synchronous()
    if env.database_url() is not None or level in {"FULL", "EXTRA"}:
        return []
    return [
        Error(
            f"MAILADMIN_SQLITE_SYNCHRONOUS is {level}: a power cut can lose mail that was accepted.",
            hint="Leave the variable out; FULL is the default.",
            id="mailadmin.E001",
        )
    ]


def state_folder(app_configs: Sequence[AppConfig] | None, **_options: Any) -> list[CheckMessage]:
    """Find a state folder that is missing or cannot be written."""
    del app_configs
    home = Path(settings.HOME)
    if home.is_dir() and os.access(home, os.W_OK | os.X_OK):
        return []
    return [
        Error(
            f"The state folder {home} cannot be written.",
            hint="Make it writable for this user, or name another one in MAILADMIN_HOME.",
            id="mailadmin.E002",
        )
    ]


def sealing_key(app_configs: Sequence[AppConfig] | None, **_options: Any) -> list[CheckMessage]:
    """Find a sealing key that cannot be read or is none."""
    del app_configs
    try:
        secretbox.sealer()
    except (OSError, ValueError) as error:
        return [
            Error(
                f"The key that seals stored secrets cannot be used: {error}.",
                hint=f"Put back sealing.key in the state folder {settings.HOME}, or MAILADMIN_SEALING_KEY.",
                id="mailadmin.E003",
            )
        ]
    return []


def superuser(app_configs: Sequence[AppConfig] | None, **_options: Any) -> list[CheckMessage]:
    """Warn of running as root, which nothing here needs."""
    del app_configs
    if os.geteuid() != 0:
        return []
    return [
        CheckWarning(
            "This runs as root.",
            hint="Use a user of its own. Ports below 1024 can be had by systemd's sockets or CAP_NET_BIND_SERVICE.",
            id="mailadmin.W001",
        )
    ]


def privacy(app_configs: Sequence[AppConfig] | None, **_options: Any) -> list[CheckMessage]:
    """Warn of keys and databases that other users of the machine can read."""
    del app_configs
    open_files = [path for path in _private_files() if _is_open(path)]
    if not open_files:
        return []
    names = " ".join(str(path) for path in open_files)
    return [
        CheckWarning(
            f"Other users of this machine can read {names}.",
            hint=f"chmod go= {names}",
            id="mailadmin.W002",
        )
    ]


def _private_files() -> Iterator[Path]:
    home = Path(settings.HOME)
    yield home / "sealing.key"
    yield home / "django.key"
    for database in settings.DATABASES.values():
        if database["ENGINE"].endswith("sqlite3"):
            yield Path(database["NAME"])


def _is_open(path: Path) -> bool:
    try:
        return bool(path.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH | stat.S_IWGRP | stat.S_IWOTH))
    except OSError:
        return False


CHECKS: Final = (durability, state_folder, sealing_key, superuser, privacy)
