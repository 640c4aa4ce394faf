"""The product under measurement: a scratch installation, made by its own services and started by its own command.

Everything is as in real life (durable commits, every rule, bcrypt at its real cost), but for one thing: deliveries are
paused, so that what is measured is accepting.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

ROOT: Final = Path(__file__).resolve().parent.parent
DOMAIN: Final = "example.org"
ACTOR: Final = "command line"
START_TIMEOUT: Final = 30.0
# A folder on a real disk: /tmp is memory on some systems, and syncing to memory is quick.
SCRATCH: Final = next((folder for folder in ("/var/tmp", "/tmp") if os.access(folder, os.W_OK)), None)  # noqa: S108


def free_port() -> int:
    """Return a port of loopback on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Product:
    """One installation, from its set-up to its end.

    Attributes:
        port: of submission with STARTTLS.
        users: a file with a line ``address:password`` for each account.
    """

    def __init__(self, accounts: int) -> None:
        """Prepare it; `accounts` is how many people have one, besides the administrator."""
        self._accounts = accounts
        self.home = Path(tempfile.mkdtemp(prefix="mailadmin-bench-", dir=SCRATCH))
        self.home.chmod(0o711)  # the daemon gives up root and must still get in
        self.users = self.home / "users.txt"
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._server = os.environ.get("DATABASE_URL", "")
        self._database = f"mailadmin_bench_{os.getpid()}"

    def set_up(self) -> None:
        """Make the database, the server, the accounts and the listeners."""
        os.environ["MAILADMIN_HOME"] = str(self.home)
        os.environ["DJANGO_SETTINGS_MODULE"] = "mailadmin.settings"
        if self._server:
            # Never the database that was named: it may be one that somebody uses.
            self._ask_server(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(self._database)))
            os.environ["DATABASE_URL"] = urlunsplit(urlsplit(self._server)._replace(path=f"/{self._database}"))
        import django

        django.setup()
        from django.db import connections
        from django.utils import timezone

        from mailadmin.server import install

        install.migrate()
        _furnish(timezone.now(), self.port)
        self._add_accounts()
        connections.close_all()

    def _add_accounts(self) -> None:
        from django.utils import timezone

        from mailadmin.accounts import services as accounts

        lines = []
        for number in range(1, self._accounts + 1):
            address, password = f"person{number:03}@{DOMAIN}", accounts.generate_password()
            accounts.add(actor=ACTOR, now=timezone.now(), address=address, password=password)
            lines.append(f"{address}:{password}\n")
        self.users.write_text("".join(lines))

    def start(self) -> None:
        """Start the daemon and return when it serves.

        Raises:
            RuntimeError: it does not; with what it wrote.
        """
        log = self.home / "daemon.log"
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, ROOT / "manage.py", "smtpd"],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_TIMEOUT
        while not self._serves():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the daemon does not serve:\n{log.read_text(errors='replace')}")
            time.sleep(0.1)

    def _serves(self) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=2) as connection:
            return connection.recv(4) == b"220 " and bool(self.pids("worker")) and bool(self.pids("runner"))
        return False

    def pids(self, role: str) -> list[int]:
        """Return the processes of `role`: supervisor, worker or runner."""
        from mailadmin.generation.models import Process

        return list(Process.objects.filter(role=role).values_list("pid", flat=True))

    def messages(self) -> int:
        """Return how many messages are in the queue."""
        from mailadmin.queue.models import Message

        return Message.objects.count()

    @staticmethod
    def database() -> str:
        """Return the database's name and version."""
        from django.db import connection

        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("SHOW server_version")
                return f"PostgreSQL {cursor.fetchone()[0]}"
        import sqlite3

        return f"SQLite {sqlite3.sqlite_version}"

    def remove(self) -> None:
        """Stop the daemon and forget everything."""
        from django.db import connections

        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)
        with suppress(Exception):
            connections.close_all()
        if self._server:
            self._ask_server(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(self._database)))
        shutil.rmtree(self.home, ignore_errors=True)

    def _ask_server(self, statement: sql.Composed) -> None:
        with psycopg.connect(self._server, autocommit=True) as connection:
            connection.execute(statement)


def _furnish(now: datetime, port: int) -> None:
    """Do the first run; then have one listener, on loopback, and the queue paused."""
    from mailadmin.listeners import services as listeners
    from mailadmin.queue import services as queue
    from mailadmin.routing.targets import WayOut
    from mailadmin.server import setup

    setup.run(
        now=now,
        actor=ACTOR,
        hostname=f"mail.{DOMAIN}",
        domain=DOMAIN,
        administrator=f"admin@{DOMAIN}",
        administrator_password=None,
        way_out=WayOut("mx"),
    )
    for name in ("mx", "submissions"):
        listeners.change(listeners.find(name), actor=ACTOR, now=now, enabled=False)
    listeners.change(listeners.find("submission"), actor=ACTOR, now=now, address="127.0.0.1", address6=None, port=port)
    queue.pause(actor=ACTOR, now=now)
