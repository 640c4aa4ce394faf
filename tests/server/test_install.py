"""The state folder and the tables, made by a program of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ground.checkout import PYTHON, ROOT, environment
from tests.ground.daemon import scratch_folder

pytestmark = pytest.mark.sqlite_only
SETUP = ("setup", "--hostname", "mail.example.org", "--domain", "example.org", "--admin", "hanako@example.org")


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that goes after the test."""
    made = scratch_folder()
    yield made
    shutil.rmtree(made, ignore_errors=True)


def _manage(home: Path, *arguments: str, before: tuple[str, ...] = ()) -> tuple[int, str, str]:
    result = subprocess.run(
        [*before, PYTHON, ROOT / "manage.py", *arguments],
        cwd=ROOT,
        env=environment(MAILADMIN_HOME=str(home)),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    return result.returncode, result.stdout, result.stderr


def test_an_empty_place_becomes_an_installation_that_nobody_else_reads(folder: Path) -> None:
    home = folder / "deep" / "state"
    code, _, errors = _manage(home, *SETUP, "--local-only")
    assert (code, errors) == (0, "")
    made = {path.name: path.stat().st_mode & 0o777 for path in home.iterdir()}
    assert {"mailadmin.sqlite3", "bodies.sqlite3", "sealing.key", "django.key"} <= set(made)
    assert {name: mode for name, mode in made.items() if mode & 0o077} == {}


def test_of_two_setups_at_the_same_moment_one_does_it(folder: Path) -> None:
    command: list[str | Path] = [PYTHON, ROOT / "manage.py", *SETUP, "--local-only"]
    variables = environment(MAILADMIN_HOME=str(folder))
    programs = [
        subprocess.Popen(command, cwd=ROOT, env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    outputs = [program.communicate(timeout=120) for program in programs]
    assert sum("shown only now" in out for out, _ in outputs) == 1, outputs
    # The other one came too late to do it, or late enough to see that nothing is left to do.
    loser = next(number for number, (out, _) in enumerate(outputs) if "shown only now" not in out)
    assert "already" in "".join(outputs[loser])
    assert programs[1 - loser].returncode == 0


def test_commands_before_the_setup_say_what_to_do(folder: Path) -> None:
    for arguments in (("account", "list"), ("listener", "list"), ("domain", "add", "example.org"), ("route", "list")):
        code, out, errors = _manage(folder, *arguments)
        assert (code, out) == (1, "")
        assert "make run" in errors
        assert "manage.py setup" in errors
        assert "Traceback" not in errors


def test_a_wrong_variable_ends_with_a_sentence(folder: Path) -> None:
    for name, value in (("MAILADMIN_SQLITE_SYNCHRONOUS", "SOMETIMES"), ("DATABASE_URL", "mysql://there")):
        code, _, errors = _manage(folder, "doctor", before=("env", f"{name}={value}"))
        assert code == 1
        assert name in errors
        assert "Traceback" not in errors


def test_a_state_folder_that_cannot_be_made_ends_with_a_sentence(folder: Path) -> None:
    (folder / "file").write_text("")
    code, _, errors = _manage(folder / "file" / "state", *SETUP)
    assert code == 1
    assert "MAILADMIN_HOME" in errors
    assert "Traceback" not in errors


def _read_only(folder: Path) -> tuple[str, ...]:
    """Return the program before a command that finds `folder` read-only; root ignores modes, so it gets a mount."""
    if os.geteuid() == 0:
        mount = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"'
        return ("unshare", "--mount", "sh", "-c", mount, str(folder))
    for path in folder.iterdir():
        path.chmod(0o400)
    folder.chmod(0o500)
    return ()


def test_a_read_only_disk_ends_every_command_with_a_sentence(folder: Path) -> None:
    assert _manage(folder, *SETUP, "--local-only")[0] == 0
    before = _read_only(folder)
    try:
        for arguments in (("account", "suspend", "hanako@example.org"), ("doctor",), ("listener", "list"), SETUP):
            code, out, errors = _manage(folder, *arguments, before=before)
            assert code == 1
            assert "cannot be written" in out + errors
            assert "Traceback" not in errors
    finally:
        folder.chmod(0o700)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
def test_a_full_disk_ends_the_setup_with_a_sentence(folder: Path) -> None:
    small = 'mount -t tmpfs -o size=200k small "$0" && exec "$@"'
    code, _, errors = _manage(folder, *SETUP, before=("unshare", "--mount", "sh", "-c", small, str(folder)))
    assert code == 1
    assert "The disk is full" in errors
    assert "Traceback" not in errors
