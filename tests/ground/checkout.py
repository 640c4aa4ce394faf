"""The checkout under test: its folder, its files, its interpreter."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent.parent
PYTHON: Final = sys.executable
# What tests/settings.py puts into the environment is for this process; programs started by tests begin without it.
OWN_VARIABLES: Final = (
    "MAILADMIN_",
    "DATABASE_URL",
    "DJANGO_SETTINGS_MODULE",
    "PYTEST_",
    "PYTHONPATH",
    "CI",
    "LISTEN_",
)


def environment(**variables: str) -> dict[str, str]:
    """Return the environment for a program that is no test, with `variables` added."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith(OWN_VARIABLES)}
    return {**clean, **variables}


def run(*command: str | Path, cwd: Path = ROOT, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run `command` in `cwd` with a clean environment and `variables`, and return what it said."""
    return subprocess.run(
        command, cwd=cwd, env=environment(**variables), capture_output=True, text=True, check=False, timeout=240
    )


def tracked_files() -> list[Path]:
    """Return the project's files, by git where this is a repository, else all that are not generated."""
    listing = run("git", "ls-files", "-z")
    if listing.returncode == 0:
        return [ROOT / name for name in listing.stdout.split("\0") if name and (ROOT / name).is_file()]
    generated = {".venv", "var", "__pycache__", ".git", ".stamps", "test-results"}
    return [path for path in ROOT.rglob("*") if path.is_file() and not generated & set(path.relative_to(ROOT).parts)]
