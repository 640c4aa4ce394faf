"""What a test needs from the machine, and what becomes of the test where it is missing.

A missing program skips the test with words; where everything must run (``CI=true`` or ``MAILADMIN_REQUIRE_ALL=1``)
tests/conftest.py turns every skip into a failure.
"""

from __future__ import annotations

import os
import shutil
import sys

import pytest

# Debian keeps the programs of servers where only root's PATH leads.
SERVER_PROGRAMS = "/usr/local/sbin:/usr/sbin:/sbin:/usr/lib/systemd"


def everything_must_run() -> bool:
    """Whether a skipped test counts as a failure."""
    return os.environ.get("CI", "").lower() in {"true", "1"} or os.environ.get("MAILADMIN_REQUIRE_ALL") == "1"


def program(name: str) -> str:
    """Return the path of the program `name`; skip the test where it is not installed."""
    path = shutil.which(name, path=f"{os.environ.get('PATH', '')}:{SERVER_PROGRAMS}")
    if path is None:
        pytest.skip(f"the program {name} is not installed")
    return path


def root() -> None:
    """Skip the test where it does not run as root."""
    if os.geteuid() != 0:
        pytest.skip("only root can do this")


def linux() -> None:
    """Skip the test where the system is not Linux."""
    if sys.platform != "linux":
        pytest.skip("this needs Linux")
