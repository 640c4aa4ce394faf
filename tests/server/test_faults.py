"""What is wrong with a database, in words."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import DatabaseError, IntegrityError, OperationalError, ProgrammingError, connection

from mailadmin.server import faults
from tests.ground.checkout import PYTHON, ROOT, environment
from tests.ground.daemon import scratch_folder
from tests.ground.ports import free_port


@pytest.mark.django_db
def test_a_missing_table_is_recognized_on_either_database() -> None:
    with pytest.raises(DatabaseError) as raised, connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM table_that_is_not_there")
    assert "make run" in faults.explain(raised.value)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OperationalError("no such table: server_server"), "has no tables yet"),
        (ProgrammingError('relation "server_server" does not exist\nLINE 1: …'), "has no tables yet"),
        (OperationalError("attempt to write a readonly database"), "cannot be written"),
        (OperationalError("unable to open database file"), "cannot be written"),
        (OperationalError("database or disk is full"), "disk is full"),
        (OperationalError("database is locked"), "Try again"),
        (DatabaseError("file is not a database"), "damaged"),
        (OperationalError('connection failed: … FATAL:  database "x" does not exist'), "DATABASE_URL"),
        (OperationalError('connection failed: connection to server at "::1", port 1 failed: refused\nIs'), "refused"),
        (OperationalError(""), "OperationalError"),
        (IntegrityError("UNIQUE constraint failed: routing_route.pattern"), "try again"),
    ],
)
def test_an_error_of_the_driver_becomes_two_sentences(error: DatabaseError, words: str) -> None:
    text = faults.explain(error)
    assert words in text
    assert "\n" not in text


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that goes after the test."""
    made = scratch_folder()
    yield made
    shutil.rmtree(made, ignore_errors=True)


def _manage(home: Path, *arguments: str, **variables: str) -> tuple[int, str]:
    result = subprocess.run(
        [PYTHON, ROOT / "manage.py", *arguments],
        cwd=ROOT,
        env=environment(MAILADMIN_HOME=str(home), **variables),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return result.returncode, result.stdout + result.stderr


def test_a_database_that_is_down_ends_every_command_with_a_sentence(folder: Path) -> None:
    url = f"postgresql://user:very-secret@127.0.0.1:{free_port()}/mail"
    for arguments in (
        ("account", "list"),
        ("doctor",),
        ("setup", "--hostname", "mail.example.org", "--domain", "example.org", "--admin", "a@example.org"),
    ):
        code, printed = _manage(folder, *arguments, DATABASE_URL=url)
        assert code == 1
        assert "DATABASE_URL" in printed
        assert "Traceback" not in printed
        assert "very-secret" not in printed


@pytest.mark.sqlite_only
def test_a_damaged_file_is_called_damaged(folder: Path) -> None:
    (folder / "mailadmin.sqlite3").write_bytes(os.urandom(8192))
    code, printed = _manage(folder, "account", "list")
    assert code == 1
    assert "damaged" in printed
    assert "Traceback" not in printed
