"""Make the state folder and the tables, or bring them up to date."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.db import connections
from django.db.migrations.executor import MigrationExecutor

from mailadmin.unprivileged import give_to_owner_of_folder

# Two nodes that start at once on one PostgreSQL migrate one after the other; any fixed number will do.
_MIGRATION_LOCK: Final = 0x6D61696C


def migrate() -> bool:
    """Bring every database up to date, and say whether anything was to be done.

    Raises:
        ImproperlyConfigured: the state folder cannot be made or written.
        DatabaseError: a database cannot be reached or changed.
    """
    try:
        _make_private_files()
    except OSError as error:
        raise ImproperlyConfigured(
            f"The state folder {settings.HOME} cannot be written ({error.strerror}: {error.filename}). "
            "Make it writable for this user, or name another one in MAILADMIN_HOME."
        ) from error
    done = False
    for alias in settings.DATABASES:
        if is_current(alias):
            continue
        with _alone(alias):
            if not is_current(alias):  # somebody else may have done it while we waited
                call_command("migrate", database=alias, interactive=False, verbosity=0, skip_checks=True)
                done = True
    return done


def is_current(alias: str = "default") -> bool:
    """Say whether every migration of the database `alias` is applied."""
    executor = MigrationExecutor(connections[alias])
    return not executor.migration_plan(executor.loader.graph.leaf_nodes())


def _make_private_files() -> None:
    """Make the state folder, and SQLite's files before SQLite does: nobody else reads hashes and mail."""
    home = Path(settings.HOME)
    home.mkdir(parents=True, exist_ok=True, mode=0o711)
    for database in settings.DATABASES.values():
        if database["ENGINE"].endswith("sqlite3"):
            descriptor = os.open(database["NAME"], os.O_RDWR | os.O_CREAT, 0o600)
            try:
                if os.fstat(descriptor).st_uid == os.geteuid():
                    os.fchmod(descriptor, 0o600)
                    give_to_owner_of_folder(descriptor, home)
            finally:
                os.close(descriptor)


@contextmanager
def _alone(alias: str) -> Iterator[None]:
    """Keep others from migrating the same database at the same time."""
    if connections[alias].vendor == "postgresql":
        with connections[alias].cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s)", [_MIGRATION_LOCK])
            try:
                yield
            finally:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [_MIGRATION_LOCK])
        return
    folder = os.open(settings.HOME, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)  # ends with the descriptor
        yield
    finally:
        os.close(folder)
