"""Dovecot's LMTP server in a folder of its own, with Maildirs, as the keeper of a domain's mailboxes."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.ground.checkout import environment
from tests.ground.daemon import Product, wait_until
from tests.ground.ports import free_port
from tests.ground.requirements import program, root

CONFIGURATION: Final = """\
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
protocols = lmtp
ssl = no
first_valid_uid = 1
mail_location = maildir:{folder}/mail/%u
postmaster_address = postmaster@example.com
userdb {{
  driver = passwd-file
  args = username_format=%n {folder}/users
  default_fields = uid=mail gid=mail home={folder}/mail/%u
}}
passdb {{
  driver = static
  args = nopassword=y
}}
service lmtp {{
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {port}
  }}
  unix_listener {folder}/lmtp {{
    mode = 0666
  }}
}}
service anvil {{
  chroot =
}}
"""
# Who has mailboxes there, in whatever domain.
USERS: Final = ("hanako", "jiro")


@dataclass(frozen=True, slots=True)
class Dovecot:
    """A running instance: `targets` are the ways to it, as a domain's LMTP server is written."""

    folder: Path
    port: int

    @property
    def targets(self) -> tuple[str, str]:
        """Its port, and its socket."""
        return f"127.0.0.1:{self.port}", str(self.folder / "lmtp")

    def mailbox(self, address: str) -> list[bytes]:
        """Return the messages of `address`, lines ended by CRLF again (Dovecot stores LF), in the order of arrival."""
        found = sorted((self.folder / "mail" / address).glob("new/*"), key=lambda path: path.stat().st_mtime_ns)
        return [path.read_bytes().replace(b"\n", b"\r\n") for path in found]


@contextmanager
def dovecot() -> Iterator[Dovecot]:
    """Run it."""
    root()
    folder, port = Path(tempfile.mkdtemp(prefix="mailadmin-dovecot-")), free_port()
    folder.chmod(0o755)
    (folder / "mail").mkdir()
    shutil.chown(folder / "mail", "mail", "mail")
    (folder / "users").write_text("".join(f"{user}::::::\n" for user in USERS))
    configuration = folder / "dovecot.conf"
    configuration.write_text(CONFIGURATION.format(folder=folder, port=port))
    master = subprocess.Popen(
        [program("dovecot"), "-F", "-c", configuration],
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        wait_until(lambda: Product.connects(port), f"Dovecot serves: {_log(folder)}")
        yield Dovecot(folder, port)
    finally:
        master.send_signal(signal.SIGTERM)
        master.wait(10)
        shutil.rmtree(folder, ignore_errors=True)


def _log(folder: Path) -> str:
    log = folder / "log"
    return log.read_text() if os.access(log, os.R_OK) else ""
