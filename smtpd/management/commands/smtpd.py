"""`manage.py smtpd`: the daemon. See docs/operations.md."""

from __future__ import annotations

import os
import resource
from pathlib import Path
from typing import Any

import structlog
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection, connections

from mailadmin import unprivileged
from smtpd import observe, privileges
from smtpd.frame import child
from smtpd.management import preload
from smtpd.supervisor import Supervisor

log = structlog.get_logger("smtpd")


class Command(BaseCommand):
    """Starts the supervisor, which starts workers and runner."""

    help = "Run the mail daemon: listeners and queue."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the flags."""
        parser.add_argument(
            "--workers", type=int, help="worker processes (default: 1 on SQLite, one per processor on PostgreSQL)"
        )
        parser.add_argument(
            "--user", help="user to become when started as root (default: MAILADMIN_USER, else see docs/operations.md)"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        """Import, give up rights, supervise."""
        workers = options["workers"] if options["workers"] is not None else default_workers()
        if workers < 1:
            raise CommandError("--workers must be 1 or more.", returncode=2)
        observe.configure("supervisor")
        home = Path(settings.HOME)
        try:
            user = unprivileged.choose(options["user"], home)
        except unprivileged.CannotRunAsError as error:
            raise CommandError(str(error), returncode=2) from error
        preload.everything()
        connections.close_all()
        raise_file_limit()
        try:
            problems = give_up_rights(user, home)
        except OSError as error:
            raise CommandError(
                f"The state folder {home} cannot be made the daemon's own ({error.strerror}). Make it writable."
            ) from error
        supervisor = Supervisor(workers, child, problems)
        raise SystemExit(supervisor.run())


def default_workers() -> int:
    """Return how many workers serve best: SQLite has one writer, PostgreSQL one per processor."""
    return 1 if connection.vendor == "sqlite" else len(os.sched_getaffinity(0))


def raise_file_limit() -> None:
    """Allow as many open connections as the system lets us."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def give_up_rights(user: unprivileged.User | None, home: Path) -> list[str]:
    """Become `user` and keep only what binding low ports takes; return what is wrong with that, in words."""
    if user is not None:
        unprivileged.hand_over(home, user)
        log.info("giving up root", user=user.name)
    privileges.become((user.uid, user.gid, user.groups) if user else None)
    privileges.name_process("smtpd")
    if os.geteuid() != 0:
        return []
    problem = (
        f"The daemon runs as root, because no unprivileged user can reach {home}. Set MAILADMIN_HOME to a folder such "
        "as /var/lib/mailadmin, make a user mailadmin, and start again."
    )
    log.warning("running as root", problem=problem)
    return [problem]
