"""The system checks, each with its stable id."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from django.core.checks import CheckMessage
from django.test import override_settings

from mailadmin import checks


def _ids(messages: list[CheckMessage]) -> list[str]:
    return [str(message.id) for message in messages]


@pytest.mark.parametrize(
    ("level", "ids"), [("OFF", ["mailadmin.E001"]), ("NORMAL", ["mailadmin.E001"]), ("FULL", []), ("EXTRA", [])]
)
def test_a_sqlite_that_answers_before_the_disk_is_an_error(
    monkeypatch: pytest.MonkeyPatch, level: str, ids: list[str]
) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.setenv("MAILADMIN_SQLITE_SYNCHRONOUS", level)
    assert _ids(checks.durability(None)) == ids


def test_postgresql_has_no_such_level(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://u@h/n")
    monkeypatch.setenv("MAILADMIN_SQLITE_SYNCHRONOUS", "OFF")
    assert checks.durability(None) == []


def test_a_state_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with override_settings(HOME=tmp_path):
        assert checks.state_folder(None) == []
    with override_settings(HOME=tmp_path / "missing"):
        assert _ids(checks.state_folder(None)) == ["mailadmin.E002"]


def test_a_sealing_key_that_is_none_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "sealing.key").write_text("nonsense\n")
    with override_settings(HOME=tmp_path):
        assert _ids(checks.sealing_key(None)) == ["mailadmin.E003"]
    with override_settings(HOME=tmp_path / "fresh"):
        assert checks.sealing_key(None) == []


def test_running_as_root_is_a_warning() -> None:
    assert _ids(checks.superuser(None)) == (["mailadmin.W001"] if os.geteuid() == 0 else [])


def test_a_key_that_others_can_read_is_a_warning_with_its_cure(tmp_path: Path) -> None:
    key = tmp_path / "sealing.key"
    key.write_text("x")
    key.chmod(0o640)
    with override_settings(HOME=tmp_path):
        messages = checks.privacy(None)
        assert _ids(messages) == ["mailadmin.W002"]
        assert f"chmod go= {key}" in str(messages[0].hint)
        key.chmod(0o600)
        # The tests' own database, which Django's runner made, may be open to others.
        assert str(key) not in str(checks.privacy(None))


def test_every_id_is_listed_where_people_look() -> None:
    source = Path(checks.__file__).read_text()
    used = {line.split('"')[1] for line in source.splitlines() if "id=" in line}
    assert used
    assert all(f"    {identity}  " in str(checks.__doc__) for identity in used)
