"""The programs that tests drive, and their installation where apt is at hand and may be used.

Nothing that is installed here is started: a ``policy-rc.d`` stands in the way meanwhile. Postfix is only unpacked,
because Debian's mail servers exclude each other as packages; its libraries are installed as packages.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.ground.checkout import ROOT
from tests.ground.requirements import SERVER_PROGRAMS

# program -> Debian's package
PROGRAMS: Final = {
    "chromium": "chromium",
    "curl": "curl",
    "dovecot": "dovecot-core",
    "msmtp": "msmtp",
    "openssl": "openssl",
    "strace": "strace",
    "swaks": "swaks",
    "systemd-socket-activate": "systemd",
}
# a file that tells that the package is there -> the package
FILES: Final = {
    "/usr/lib/dovecot/lmtp": "dovecot-lmtpd",
    "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc": "fonts-noto-cjk",
    # swaks speaks TLS through it
    "/usr/share/perl5/IO/Socket/SSL.pm": "libio-socket-ssl-perl",
}
POSTFIX: Final = ROOT / ".stamps" / "postfix"
POLICY: Final = Path("/usr/sbin/policy-rc.d")


def missing_packages() -> list[str]:
    """Return the packages whose programs are not there."""
    path = f"{os.environ.get('PATH', '')}:{SERVER_PROGRAMS}"
    programs = [package for program, package in PROGRAMS.items() if shutil.which(program, path=path) is None]
    return programs + [package for file, package in FILES.items() if not Path(file).exists()]


def _as_root() -> list[str] | None:
    """Return what to put before a command so that root runs it, or None when that needs a password."""
    if os.geteuid() == 0:
        return []
    if (
        shutil.which("sudo")
        and subprocess.run(["sudo", "-n", "true"], capture_output=True, check=False).returncode == 0
    ):
        return ["sudo", "-n"]
    return None


@contextmanager
def _no_service_starts(root: Sequence[str]) -> Iterator[None]:
    """Keep apt from starting what it installs."""
    if POLICY.exists():
        yield
        return
    with tempfile.NamedTemporaryFile("w", suffix=".policy") as script:
        script.write("#!/bin/sh\nexit 101\n")
        script.flush()
        subprocess.run([*root, "install", "-m", "755", script.name, POLICY], check=True)
    try:
        yield
    finally:
        subprocess.run([*root, "rm", "-f", POLICY], check=True)


def _apt(root: Sequence[str], *arguments: str) -> bool:
    command = [*root, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq", *arguments]
    result = subprocess.run(command, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if result.returncode:
        print(result.stderr.strip()[-2000:])
    return result.returncode == 0


def _unpack_postfix(root: Sequence[str]) -> bool:
    """Unpack Debian's Postfix into `POSTFIX` and install the libraries that it wants."""
    depends = subprocess.run(["apt-cache", "depends", "postfix"], check=False, capture_output=True, text=True).stdout
    libraries = [line.split()[-1] for line in depends.splitlines() if line.strip().startswith("Depends: lib")]
    if not libraries or not _apt(root, "install", "-y", "--no-install-recommends", *libraries, "libsasl2-modules"):
        return False
    shutil.rmtree(POSTFIX, ignore_errors=True)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        command = ["apt-get", "-qq", "download", "postfix"]
        if subprocess.run(command, cwd=folder, check=False, capture_output=True).returncode:
            return False
        for archive in Path(folder).glob("postfix_*.deb"):
            POSTFIX.parent.mkdir(exist_ok=True)
            subprocess.run(["dpkg-deb", "-x", archive, POSTFIX], check=True)
    return POSTFIX.exists()


def install() -> list[str]:
    """Install what is missing, where that is possible, and return in words what is still not there."""
    packages = missing_packages()
    without_postfix = shutil.which("postconf", path=SERVER_PROGRAMS) is None and not POSTFIX.exists()
    root = _as_root()
    if (packages or without_postfix) and root is not None and shutil.which("apt-get"):
        wanted = [*packages, *(["postfix"] if without_postfix else [])]
        print("Installing for the tests:", " ".join(wanted), flush=True)
        with _no_service_starts(root):
            _apt(root, "update")
            if packages:
                _apt(root, "install", "-y", "--no-install-recommends", *packages)
            without_postfix = without_postfix and not _unpack_postfix(root)
        packages = missing_packages()
    return [f"{package} is not installed" for package in [*packages, *(["postfix"] if without_postfix else [])]]
