"""`manage.py up`: everything on one machine: database, panel, daemon. `make run` calls it."""

from __future__ import annotations

import argparse
import os
import signal
import socket
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import segno
from django.conf import settings
from django.core.management.base import CommandParser

from mailadmin import unprivileged
from mailadmin.certificates.names import of_machine
from mailadmin.commands import AdminCommand, Problem, now
from mailadmin.panel.doorway import PortTakenError, bound
from mailadmin.panel.programs import Program, keep
from mailadmin.server import install, services

LOCAL: Final = ("127.0.0.1", "::1")
EVERYWHERE: Final = ("0.0.0.0", "::")  # noqa: S104  # the panel is for the whole network, under TLS
HTTP_PORT: Final = "MAILADMIN_HTTP_PORT"
HTTPS_PORT: Final = "MAILADMIN_HTTPS_PORT"


def port_number(text: str) -> int:
    """Return a TCP port from the command line or the environment."""
    if not text.isdecimal() or not 1 <= int(text) <= 65535:  # noqa: PLR2004  # the range of a port
        raise argparse.ArgumentTypeError(f"{text!r} is no port: use a number from 1 to 65535.")
    return int(text)


class Command(AdminCommand):
    """Brings the database up to date, then keeps panel and daemon running until Ctrl-C."""

    help = "Run the panel and the mail daemon on this machine, until Ctrl-C."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the flags; there is nothing to print as JSON."""
        parser.add_argument(
            "--http-port",
            type=port_number,
            default=os.environ.get(HTTP_PORT, "8080"),
            help=f"port of the panel for this machine alone (default: {HTTP_PORT}, else 8080)",
        )
        parser.add_argument(
            "--https-port",
            type=port_number,
            default=os.environ.get(HTTPS_PORT, "8443"),
            help=f"port of the panel for the network (default: {HTTPS_PORT}, else 8443)",
        )
        parser.add_argument("--prepare", action="store_true", help="bring the database up to date, and start nothing")
        parser.add_argument("--workers", type=int, help="see manage.py smtpd --help")
        parser.add_argument("--user", help="see manage.py smtpd --help")

    def run(self, options: dict[str, Any]) -> None:
        """Prepare, tell where the panel is, and keep everything running."""
        if options["prepare"]:
            install.migrate()
            services.initialise(now())
            return
        http, https = options["http_port"], options["https_port"]
        try:
            plain = bound(LOCAL, http, "--http-port")
            secure = bound(EVERYWHERE, https, "--https-port")
        except PortTakenError as error:
            raise Problem(str(error)) from error
        # Ctrl-C during the preparations shall end them like any other error.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        install.migrate()
        services.initialise(now())
        user = self._user(options["user"])
        self.stdout.write(welcome(http, https))
        self.stdout.flush()
        keep(
            [
                _panel("panel (http)", plain, user, tls=False),
                _panel("panel (https)", secure, user, tls=True),
                _daemon(options),
            ]
        )
        self.stdout.write("Stopped.")

    def _user(self, requested: str | None) -> str | None:
        """Hand the state folder to the user that the daemon will become; return it if the panel can become it too."""
        home = Path(settings.HOME)
        try:
            user = unprivileged.choose(requested, home)
        except unprivileged.CannotRunAsError as error:
            raise Problem(str(error)) from error
        if user is None:
            return None
        unprivileged.hand_over(home, user)
        closed = [folder for folder in _program_folders() if not unprivileged.reaches(user, folder)]
        if not closed:
            return user.name
        self.stderr.write(
            f"The panel runs as root, because the user {user.name!r} cannot reach {closed[0]}. "
            "Put the checkout and a Python where it can, such as /opt/mailadmin and /usr/bin/python3."
        )
        return None


def _program_folders() -> list[Path]:
    """Return the folders from which the panel's code is read while it runs."""
    paths = sysconfig.get_paths()
    return [settings.BASE_DIR, Path(paths["purelib"]), Path(paths["stdlib"])]


def _panel(name: str, sockets: Sequence[socket.socket], user: str | None, *, tls: bool) -> Program:
    descriptors = [sock.fileno() for sock in sockets]
    environment = {
        **os.environ,
        "MAILADMIN_PANEL_BIND": ",".join(f"fd://{descriptor}" for descriptor in descriptors),
        "MAILADMIN_PANEL_TLS": "1" if tls else "0",
        "MAILADMIN_PANEL_USER": user or "",
    }
    command = [sys.executable, "-m", "gunicorn", "-c", "python:mailadmin.panel.serve"]
    return Program(name, command, environment, descriptors, folder=settings.BASE_DIR)


def _daemon(options: dict[str, Any]) -> Program:
    command = [sys.executable, "manage.py", "smtpd"]
    for flag in ("workers", "user"):
        if options[flag] is not None:
            command += [f"--{flag}", str(options[flag])]
    return Program("daemon", command, os.environ, folder=settings.BASE_DIR)


def welcome(http: int, https: int) -> str:
    """Return what is printed at the start: where the panel is, or the one-time link to the first run."""
    here = f"http://localhost:{http}/"
    there = f"https://{_name_in_network()}:{https}/"
    if services.is_set_up():
        return f"The panel is at {here} and, for other devices, at {there}\nStop with Ctrl-C."
    path = f"setup/{services.new_setup_token(now())}/"
    lines = [
        "mailadmin runs and waits to be set up. Open this link; it is good for one hour and one set-up:",
        f"  {here}{path}",
        "or from another device in this network (its browser will not know the certificate yet):",
        f"  {there}{path}",
    ]
    if sys.stdout.isatty():
        lines.append(_qr_code(f"{there}{path}"))
    return "\n".join([*lines, "Stop with Ctrl-C."])


def _name_in_network() -> str:
    """Return what other devices can call this machine: its address, since names are rarely known to them."""
    addresses = [name for name in of_machine("localhost") if name[0].isdigit() and not name.startswith("127.")]
    return addresses[0] if addresses else socket.gethostname()


def _qr_code(text: str) -> str:
    """Return a QR code as lines of half blocks."""
    rows = [list(row) for row in segno.make(text, error="l").matrix_iter(border=2)]
    if len(rows) % 2:
        rows.append([0] * len(rows[0]))
    # Light on dark or dark on light, terminals differ: light modules are drawn, so the border is light in any case.
    blocks = {(0, 0): "█", (0, 1): "▀", (1, 0): "▄", (1, 1): " "}
    pairs = zip(rows[::2], rows[1::2], strict=True)
    return "\n".join("".join(blocks[bool(a), bool(b)] for a, b in zip(*pair, strict=True)) for pair in pairs)
