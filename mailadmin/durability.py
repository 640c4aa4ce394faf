"""Transactions that need not wait for the disk.

Everything here commits durably by default. Some commits only save work that a power cut would make us do again (a lease
on mail, a chunk of an upload that no 250 has promised yet); these may be lazy, and a later durable commit to the same
database takes them along: both SQLite's and PostgreSQL's logs are synced up to their end.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.db import connections, transaction


def synchronous(alias: str) -> str:
    """Return the configured ``synchronous`` level of the SQLite database `alias`."""
    command = str(settings.DATABASES[alias]["OPTIONS"]["init_command"])
    return command.partition("PRAGMA synchronous=")[2].partition(";")[0]


@contextmanager
def lazy(alias: str = "default") -> Iterator[None]:
    """Run the block in a transaction whose commit does not wait for the disk.

    Inside another transaction the outer one decides.
    """
    connection = connections[alias]
    if connection.in_atomic_block:
        with transaction.atomic(using=alias):
            yield
    elif connection.vendor == "postgresql":
        with transaction.atomic(using=alias), connection.cursor() as cursor:
            cursor.execute("SET LOCAL synchronous_commit TO OFF")
            yield
    else:
        level = synchronous(alias)
        with connection.cursor() as cursor:
            cursor.execute(f"PRAGMA synchronous = {'OFF' if level == 'OFF' else 'NORMAL'}")
            try:
                with transaction.atomic(using=alias):
                    yield
            finally:
                cursor.execute(f"PRAGMA synchronous = {level}")
