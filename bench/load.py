"""The load generator: built when it is missing or old, and run against a port of loopback."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

SOURCE: Final = Path(__file__).resolve().parent / "submitload"
PROGRAM: Final = SOURCE / "submitload"
PACKAGES: Final = ("gcc", "make", "libc6-dev", "libssl-dev")
_RUN: Final = 60.0  # seconds after which a run of the generator is given up
# A client that acknowledges at once: Linux else holds acknowledgements back for 40 ms, which no work of ours changes.
_ALWAYS: Final = ("--quickack", "--domain", "example.org", "--rcpt", "sink@example.net")


class CannotBuildError(Exception):
    """The load generator cannot be built; the text says what is missing."""


def build() -> None:
    """Build the load generator, unless it is there and newer than its source.

    Raises:
        CannotBuildError: the compiler or OpenSSL's headers are missing and cannot be installed.
    """
    if _make() == "":
        return
    print("The load generator needs a C compiler and OpenSSL's headers:", *PACKAGES, file=sys.stderr)
    if shutil.which("apt-get") and os.geteuid() == 0:
        print("Installing them with apt-get", file=sys.stderr)
        subprocess.run(["apt-get", "install", "-y", "-qq", *PACKAGES], check=False, stdout=subprocess.DEVNULL)
    trouble = _make()
    if trouble:
        raise CannotBuildError(f"apt-get install -y {' '.join(PACKAGES)}; then again. What went wrong:\n{trouble}")


def _make() -> str:
    """Build; return what went wrong, empty for nothing."""
    if shutil.which("make") is None:
        return "there is no make"
    result = subprocess.run(
        ["make", "--silent", "-C", SOURCE], check=False, capture_output=True, text=True, env=_without_make()
    )
    return "" if result.returncode == 0 else result.stderr


def _without_make() -> dict[str, str]:
    """Return the environment without what an outer make would pass on."""
    return {key: value for key, value in os.environ.items() if key not in {"MAKEFLAGS", "MAKELEVEL", "MFLAGS"}}


def run(port: int, users: Path, *options: str) -> dict[str, Any]:
    """Run the load generator against `port` and return its report (see bench/submitload/README.md)."""
    result = subprocess.run(_command(port, users, options), check=False, capture_output=True, text=True, timeout=_RUN)
    if not result.stdout:
        raise RuntimeError(f"submitload: {result.stderr}")
    return dict(json.loads(result.stdout))


def hold(
    port: int, users: Path, ready: Path, connections: int, measure: Callable[[], int]
) -> tuple[int, dict[str, Any]]:
    """Hold `connections` signed-in connections, call `measure` meanwhile, and return its result and the report."""
    options = ("--mode", "idle", "--idle", str(connections), "--conc", "8", "--hold", "3", "--ready", str(ready))
    with subprocess.Popen(
        _command(port, users, (*options, "--duration", str(_RUN))), stdout=subprocess.PIPE, text=True
    ) as process:
        deadline = time.monotonic() + _RUN
        while not ready.exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(0.5)
        measured = measure()
        output, _ = process.communicate(timeout=_RUN)
    return measured, dict(json.loads(output))


def _command(port: int, users: Path, options: tuple[str, ...]) -> list[str | Path]:
    return [PROGRAM, "--port", str(port), "--users", users, *_ALWAYS, *options]
