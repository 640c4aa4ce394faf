"""Postfix in a folder of its own, as a client of the product: what it is given it sends on, signed in.

It runs from Debian's package, installed or only unpacked by `tests.ground.prerequisites`. Unpacked, there are no users
of its own, so it borrows two of the base system's.
"""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import signal
import smtplib
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from tests import cast
from tests.ground.checkout import environment
from tests.ground.daemon import Product
from tests.ground.ports import free_port
from tests.ground.prerequisites import POSTFIX
from tests.ground.requirements import root

MASTER: Final = """\
127.0.0.1:{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
smtp unix - - n - - smtp
relay unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
proxymap unix - - n - - proxymap
postlog unix-dgram n - n - 1 postlogd
"""

MAIN: Final = """\
compatibility_level = 3.6
queue_directory = {folder}/spool
data_directory = {folder}/data
daemon_directory = {programs}
command_directory = {commands}
shlib_directory = {libraries}
meta_directory = {folder}/etc
mail_owner = {owner}
setgid_group = {group}
import_environment = MAIL_CONFIG TZ LANG=C LD_LIBRARY_PATH={libraries}
maillog_file = {folder}/log
maillog_file_prefixes = /
myhostname = postfix.client.test
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps =
local_recipient_maps =
message_size_limit = 60000000
smtputf8_enable = yes
smtpd_peername_lookup = no
relayhost = [127.0.0.1]:{relay}
smtp_host_lookup = native
smtp_sasl_auth_enable = yes
smtp_sasl_password_maps = texthash:{folder}/etc/passwords
smtp_sasl_security_options = noanonymous
smtp_sasl_mechanism_filter = {mechanism}
smtp_tls_security_level = verify
smtp_tls_wrappermode = {wrapper}
smtp_tls_CAfile = {folder}/etc/server.pem
smtp_tls_verify_cert_match = hostname
minimal_backoff_time = 5s
queue_run_delay = 5s
"""


@dataclass(frozen=True, slots=True)
class Installation:
    """Where Postfix's programs and libraries are, and which users it may use."""

    programs: Path
    commands: Path
    libraries: Path
    owner: str
    group: str


def _installation() -> Installation:
    if Path("/usr/sbin/postconf").exists():
        return Installation(
            Path("/usr/lib/postfix/sbin"), Path("/usr/sbin"), Path("/usr/lib/postfix"), "postfix", "postdrop"
        )
    if not POSTFIX.exists():
        pytest.skip("Postfix is neither installed nor unpacked")
    return Installation(
        POSTFIX / "usr/lib/postfix/sbin", POSTFIX / "usr/sbin", POSTFIX / "usr/lib/postfix", "mail", "news"
    )


def _write_configuration(folder: Path, where: Installation, product: Product, listener: str, port: int) -> None:
    etc = folder / "etc"
    etc.mkdir()
    relay = product.ports[listener]
    (etc / "main.cf").write_text(
        MAIN.format(
            folder=folder,
            programs=where.programs,
            commands=where.commands,
            libraries=where.libraries,
            owner=where.owner,
            group=where.group,
            relay=relay,
            mechanism="plain" if listener == "submission" else "login",
            wrapper="yes" if listener == "submissions" else "no",
        )
    )
    (etc / "master.cf").write_text(MASTER.format(port=port))
    (etc / "passwords").write_text(f"[127.0.0.1]:{relay} {cast.BECKY.address}:{cast.BECKY.password}\n")
    (etc / "server.pem").write_text(product.certificate)


def _make_spool(folder: Path, where: Installation) -> None:
    """Make the folders that ``postfix set-permissions`` would make, with the owners that master(8) insists on."""
    owner, group = pwd.getpwnam(where.owner).pw_uid, grp.getgrnam(where.group).gr_gid
    (folder / "data").mkdir()
    os.chown(folder / "data", owner, -1)
    spool = folder / "spool"
    spool.mkdir()
    queues = (
        "active",
        "bounce",
        "corrupt",
        "defer",
        "deferred",
        "flush",
        "hold",
        "incoming",
        "private",
        "saved",
        "trace",
    )
    for name in (*queues, "maildrop", "public", "pid"):
        (spool / name).mkdir()
        (spool / name).chmod({"maildrop": 0o730, "public": 0o710, "pid": 0o755}.get(name, 0o700))
        os.chown(spool / name, 0 if name == "pid" else owner, group if name in {"maildrop", "public"} else -1)


class Postfix:
    """A running instance."""

    def __init__(self, port: int, log: Path) -> None:
        """It takes mail on `port` of loopback and writes its log to `log`."""
        self.port = port
        self.log = log

    def send(self, sender: str, recipients: tuple[str, ...], data: bytes, *, utf8: bool) -> None:
        """Hand over a message, for sending on."""
        with smtplib.SMTP("127.0.0.1", self.port, timeout=60) as client:
            client.sendmail(
                sender, recipients, data, mail_options=["SMTPUTF8", "BODY=8BITMIME"] if utf8 else ["BODY=8BITMIME"]
            )


@contextmanager
def postfix(product: Product, listener: str) -> Iterator[Postfix]:
    """Run Postfix as a client of `product`, through the port of `listener`."""
    root()
    where, port = _installation(), free_port()
    folder = Path(tempfile.mkdtemp(prefix="mailadmin-postfix-"))
    folder.chmod(0o755)
    _write_configuration(folder, where, product, listener, port)
    _make_spool(folder, where)
    variables = {"LD_LIBRARY_PATH": str(where.libraries), "MAIL_CONFIG": str(folder / "etc")}
    master = subprocess.Popen(
        [where.programs / "master", "-c", folder / "etc"], env=environment(**variables), start_new_session=True
    )
    try:
        deadline = time.monotonic() + 15
        while True:
            with suppress(OSError, smtplib.SMTPException):
                smtplib.SMTP("127.0.0.1", port, timeout=5).close()
                break
            if master.poll() is not None or time.monotonic() > deadline:
                log = folder / "log"
                raise AssertionError(f"Postfix did not start: {log.read_text() if log.exists() else master.poll()}")
            time.sleep(0.1)
        yield Postfix(port, folder / "log")
    finally:
        with suppress(ProcessLookupError):
            os.killpg(master.pid, signal.SIGTERM)
        master.wait(10)
        shutil.rmtree(folder, ignore_errors=True)
