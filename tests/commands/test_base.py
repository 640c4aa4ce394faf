"""What every command has in common: tables, JSON, files, words and exit codes."""

from __future__ import annotations

import io
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.core.exceptions import ValidationError

from mailadmin import commands
from mailadmin.commands import Problem
from tests.ground.checkout import PYTHON, ROOT, environment


def test_columns_are_as_wide_as_their_widest_cell_and_kanji_take_two() -> None:
    rows = [["name", "n"], ["佐藤", "1"], ["Ichiro", "22"]]
    assert commands.table(rows) == "name    n\n佐藤    1\nIchiro  22"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        ("", "-"),
        ([], "-"),
        (0, "0"),
        (False, "no"),
        (True, "yes"),
        (["a", "b"], "a, b"),
        (datetime(2026, 4, 1, 9, 5, 59, tzinfo=UTC), "2026-04-01 09:05 UTC"),
    ],
)
def test_a_cell_reads_as_people_say_it(value: object, text: str) -> None:
    assert commands.cell(value) == text


def test_every_reason_of_a_refusal_is_a_line_with_its_field() -> None:
    error = ValidationError({"lmtp_target": ["one.", "two."], "port": ["three."]})
    assert commands.words(error) == "lmtp target: one.\nlmtp target: two.\nport: three."
    assert commands.words(ValidationError("alone.")) == "alone."


@pytest.mark.parametrize("text", ["a b c", "a b c\n", "a b c\r\n"])
def test_a_password_file_ends_with_or_without_a_line_end(tmp_path: Path, text: str) -> None:
    path = tmp_path / "password"
    path.write_text(text, newline="")
    assert commands.read_password(str(path)) == "a b c"


def test_only_the_last_line_end_is_taken_off(tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.write_text(" a \n\n")
    assert commands.read_password(str(path)) == " a \n"


def test_a_hyphen_is_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("from the pipe\n"))
    assert commands.read_password("-") == "from the pipe"


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    empty, binary = tmp_path / "empty", tmp_path / "binary"
    empty.write_text("\n")
    binary.write_bytes(b"\xff\xfe")
    for path, words in ((empty, "is empty"), (binary, "UTF-8"), (tmp_path / "none", "No such file"), (tmp_path, "dir")):
        with pytest.raises(Problem, match=words):
            commands.read_password(str(path))


@pytest.mark.parametrize(
    "arguments",
    [
        ("account",),
        ("account", "fly"),
        ("account", "show"),
        ("account", "add", "a@example.org", "--generate", "--password-file", "x"),
        ("listener", "add", "x", "--role", "pigeon"),
        ("listener", "set", "mx", "--port", "twenty"),
        ("listener", "set", "mx", "--on", "--off"),
        ("listener", "set", "mx"),
        ("listener", "set", "mx", "--address", "127.0.0.1", "--address", "127.0.0.2"),
        ("domain", "add"),
        ("route", "set"),
        ("route", "set", "--mx", "--none"),
        ("route", "set", "--mx", "--smarthost", "relay:25"),
        ("route", "set", "--smarthost", "relay:what"),
        ("route", "set", "--mx", "--smarthost-user", "u"),
        ("setup",),
        ("setup", "--hostname", "h", "--domain", "d", "--admin", "a@d", "--local-only", "--smarthost", "relay:25"),
        ("setup", "--hostname", "h", "--domain", "d", "--admin", "a@d", "--smarthost-tls", "none"),
        ("doctor", "now"),
    ],
)
def test_a_wrong_call_ends_with_two_and_words(arguments: tuple[str, ...], tmp_path: Path) -> None:
    result = subprocess.run(
        [PYTHON, ROOT / "manage.py", *arguments],
        cwd=ROOT,
        env=environment(MAILADMIN_HOME=str(tmp_path)),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert result.returncode == 2, result
    assert result.stdout == ""
    assert result.stderr.strip()
    assert "Traceback" not in result.stderr
