"""The real product in a scratch folder, on free ports of loopback.

`Template` sets one up with the product's own commands (the cast's accounts included); each test takes a copy of it
through the fixture ``product``, which costs a copy of the files or of the database and not the set-up::

    def test_something(product: Product) -> None:
        product.start()
        with product.client("submission", cast.BECKY) as client:
            client.sendmail(...)
"""

from __future__ import annotations

import atexit
import json
import os
import shutil
import signal
import smtplib
import socket
import ssl
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import psycopg

from tests import cast
from tests.ground import postgresql
from tests.ground.checkout import PYTHON, ROOT, environment
from tests.ground.database import Database
from tests.ground.panel import Panel
from tests.ground.ports import free_port
from tests.ground.smarthost import Smarthost

LISTENERS: Final = ("mx", "submission", "submissions")
HOSTNAME: Final = "mail.example.org"
START_TIMEOUT: Final = 30.0
# What `manage.py up` does before its first run; here it comes first, so that listeners can be given free ports.
INITIALISE: Final = (
    "from django.utils import timezone; from mailadmin.server import services; services.initialise(timezone.now())"
)
# Products that were made and not removed: a test that fails shows the end of their logs.
PRESENT: Final[list[Product]] = []


def scratch_folder() -> Path:
    """Return a new folder that the unprivileged daemon can pass through (pytest's own ones are closed to others)."""
    folder = Path(tempfile.mkdtemp(prefix="mailadmin-home-"))
    folder.chmod(0o711)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)  # for a test that is cut off
    return folder


class CommandFailedError(AssertionError):
    """A command of the product ended with another status than expected."""


def wait_until(condition: Callable[[], object], what: str, timeout: float = 20.0, pause: float = 0.05) -> None:
    """Return as soon as `condition` holds.

    Raises:
        AssertionError: it does not within `timeout` seconds; `what` says what was waited for.
    """
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"after {timeout} s still not: {what}")
        time.sleep(pause)


class Product:
    """One installation: a state folder, a database, ports, and the processes started from it."""

    def __init__(self, home: Path, url: str = "") -> None:
        """Take over the state folder `home` and the database `url` (empty: SQLite in the folder)."""
        self.home = home
        self.url = url
        self.database = Database(home, url)
        self.ports: dict[str, int] = {}
        self.log = home / "test.log"
        self._certificate = ""
        self.process: subprocess.Popen[bytes] | None = None
        self.variables: dict[str, str] = {"MAILADMIN_HOME": str(home), "MAILADMIN_NODE": "test"}
        if url:
            self.variables["DATABASE_URL"] = url
        PRESENT.append(self)

    # --- commands ---

    def command(self, *arguments: str, stdin: str = "", status: int = 0) -> str:
        """Run ``manage.py`` with `arguments` and return what it printed, errors only where one is expected.

        Raises:
            CommandFailedError: it ended with another status than `status`.
        """
        result = subprocess.run(
            [PYTHON, ROOT / "manage.py", *arguments],
            cwd=ROOT,
            env=environment(**self.variables),
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        if result.returncode != status:
            raise CommandFailedError(f"manage.py {' '.join(arguments)}: {result.returncode}\n{result.stderr}")
        return result.stdout if status == 0 else result.stdout + result.stderr

    def ask(self, *arguments: str) -> Any:
        """Run ``manage.py`` with `arguments` and ``--json`` and return the answer."""
        return json.loads(self.command(*arguments, "--json"))

    # --- processes ---

    def choose_ports(self) -> None:
        """Give every listener a free port of its own, on loopback."""
        for name in LISTENERS:
            self.ports[name] = free_port()
            self.database.rows(
                "UPDATE listeners_listener SET port=%s, address='127.0.0.1', address6='::1' WHERE name=%s",
                self.ports[name],
                name,
            )

    def start(
        self, *arguments: str, before: Sequence[str] = (), ready: bool = True, **variables: str
    ) -> subprocess.Popen[bytes]:
        """Start the daemon and return its process when it serves.

        Args:
            arguments: for ``manage.py``; none means ``smtpd``.
            before: a program that starts it, with arguments (strace, systemd-socket-activate).
            ready: whether to wait until it serves.
            variables: more of the environment.
        """
        if not self.ports.keys() & set(LISTENERS):
            self.choose_ports()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*before, PYTHON, ROOT / "manage.py", *(arguments or ("smtpd",))],
                cwd=ROOT,
                env=environment(**self.variables, **variables),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        if ready:
            wait_until(self._serves, "the daemon serves", START_TIMEOUT)
        return self.process

    def up(self, *arguments: str, language: str = "en") -> Panel:
        """Start panel and daemon, and return a browser's session with the panel, not signed in."""
        http, https = free_port(), free_port()
        self.start("up", "--http-port", str(http), "--https-port", str(https), *arguments)
        self.ports |= {"http": http, "https": https}
        panel = Panel(f"http://localhost:{http}/", language)
        wait_until(lambda: self.connects(http), "the panel serves", START_TIMEOUT)
        return panel

    @staticmethod
    def connects(port: int) -> bool:
        """Say whether somebody listens on `port` of loopback."""
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=2):
            return True
        return False

    def _serves(self) -> bool:
        if self.process is not None and self.process.poll() is not None:
            raise AssertionError(f"the daemon ended with {self.process.returncode}:\n{self.log_text()}")
        greets = all(self._greets(self.ports[name]) for name in ("mx", "submission"))
        return greets and all(self.pids(role) for role in ("supervisor", "worker", "runner"))

    @staticmethod
    def _greets(port: int) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
            return connection.recv(4) == b"220 "
        return False

    def pids(self, role: str) -> list[int]:
        """Return the live processes of `role` (supervisor, worker, runner), as the database knows them."""
        rows = self.database.rows("SELECT pid FROM generation_process WHERE role=%s ORDER BY pid", role)
        return [row["pid"] for row in rows if Path(f"/proc/{row['pid']}").exists()]

    def log_text(self) -> str:
        """Return what the processes wrote."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def stop(self, timeout: float = 30.0) -> int:
        """End the daemon in an orderly way and return its exit status."""
        if self.process is None:
            return 0
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout)

    def kill(self) -> None:
        """End every process of the daemon with -9, as a crash of the machine would."""
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(10)

    def remove(self) -> None:
        """Kill what runs and forget everything."""
        PRESENT.remove(self)
        self.kill()
        if self.url:
            postgresql.drop_database(self.url.rpartition("/")[0] + "/postgres", self.url.rpartition("/")[2])
        shutil.rmtree(self.home, ignore_errors=True)

    # --- from outside ---

    @property
    def certificate(self) -> str:
        """The certificate in use, which signs itself, so that clients can trust it (or the last one known)."""
        with suppress(psycopg.OperationalError):
            rows = self.database.rows("SELECT chain_pem FROM certificates_certificate ORDER BY id DESC LIMIT 1")
            self._certificate = str(rows[0]["chain_pem"])
        return self._certificate

    def tls(self) -> ssl.SSLContext:
        """Return a client's context that trusts this server."""
        return ssl.create_default_context(cadata=self.certificate)

    def client(self, listener: str, person: cast.Person | None = None) -> smtplib.SMTP:
        """Return a connection to `listener`, under TLS where it is a submission port, signed in as `person`."""
        port = self.ports[listener]
        client: smtplib.SMTP
        if listener == "submissions":
            client = smtplib.SMTP_SSL("127.0.0.1", port, timeout=30, context=self.tls(), local_hostname="client.test")
        else:
            client = smtplib.SMTP("127.0.0.1", port, timeout=30, local_hostname="client.test")
            if listener == "submission":
                client.starttls(context=self.tls())
        if person is not None:
            client.login(person.address, person.password)
        return client

    def route_to(self, smarthost: Smarthost) -> None:
        """Send mail for elsewhere through `smarthost`."""
        arguments = ["--smarthost", f"{smarthost.host}:{smarthost.port}", "--smarthost-tls", smarthost.terms.tls]
        if smarthost.terms.tls != "none":
            authority = self.home / f"authority-{smarthost.port}.pem"
            authority.write_text(smarthost.ca_pem)
            arguments += ["--smarthost-ca", str(authority)]
        if smarthost.terms.login is None:
            self.command("route", "set", "*", *arguments)
        else:
            user, password = smarthost.terms.login
            arguments += ["--smarthost-user", user, "--smarthost-password-file", "-"]
            self.command("route", "set", "*", *arguments, stdin=password)

    def mailbox(self, person: cast.Person) -> list[bytes]:
        """Return the messages in the Maildir of `person`, in the order of their arrival."""
        local, _, domain = person.address.partition("@")
        folder = self.home / "mailboxes" / domain / local
        found = sorted(folder.glob("new/*"), key=lambda path: path.stat().st_mtime_ns)
        return [path.read_bytes() for path in found]

    def wait_for_states(self, timeout: float = 30.0, **expected: int) -> None:
        """Return when the queue's recipients stand exactly so: `expected` has numbers by state."""
        wait_until(lambda: self.database.states() == expected, f"{expected}, but {self.database.states()}", timeout)


class Template:
    """A product that was set up and never started, and copies of it."""

    def __init__(self, cluster_url: str = "", *, set_up: bool = True) -> None:
        """Make it, in SQLite or in a new database of the cluster.

        Args:
            cluster_url: PostgreSQL's; empty for SQLite.
            set_up: whether there are domain and accounts; without, its first run is still to come.
        """
        self.cluster_url = cluster_url
        self._copies = 0
        self._name = f"template_{os.getpid()}" + ("" if set_up else "_bare")
        url = postgresql.create_database(cluster_url, self._name) if cluster_url else ""
        self._product = Product(scratch_folder(), url)
        self._product.command("migrate", "-v0")
        if set_up:
            self._furnish()
        else:
            self._product.command("shell", "-v0", "-c", INITIALISE)

    def _furnish(self) -> None:
        product, administrator = self._product, cast.ADMINISTRATOR
        product.command(
            "setup", "--hostname", HOSTNAME, "--domain", cast.DOMAIN, "--admin", administrator.address,
            "--admin-password-file", "-", "--local-only", stdin=administrator.password,
        )  # fmt: skip
        for person in cast.ACCOUNTS:
            if person is not administrator:
                arguments = ("account", "add", person.address, "--name", person.name, "--password-file", "-")
                product.command(*arguments, stdin=person.password)
            if person.suspended:
                product.command("account", "suspend", person.address)

    def copy(self) -> Product:
        """Return a new product like it."""
        self._copies += 1
        home = scratch_folder()
        shutil.copytree(self._product.home, home, dirs_exist_ok=True)
        url = ""
        if self.cluster_url:
            url = postgresql.create_database(self.cluster_url, f"{self._name}_{self._copies}", self._name)
        return Product(home, url)

    def remove(self) -> None:
        """Forget it; the copies stay."""
        self._product.remove()
