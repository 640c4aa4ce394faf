"""What the documents say is there, and what is there is in the documents."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

from tests.ground.checkout import ROOT, tracked_files

COMMANDS: Final = sorted(
    path.stem
    for package in ("mailadmin", "smtpd")
    for path in (ROOT / package).rglob("management/commands/*.py")
    if not path.stem.startswith("_")
)
VARIABLE: Final = re.compile(r"\b(MAILADMIN_[A-Z_]+[A-Z]|DATABASE_URL)\b")
LINK: Final = re.compile(r"\]\((?!https?:|#|mailto:)([^)#\s]+)")
README_LINES: Final = 80


def _documents() -> str:
    return "\n".join(path.read_text() for path in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))])


def _variables() -> list[str]:
    sources = [ROOT / "manage.py", *(ROOT / "mailadmin").rglob("*.py"), *(ROOT / "smtpd").rglob("*.py")]
    return sorted({name for path in sources for name in VARIABLE.findall(path.read_text())})


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_in_the_documents(command: str) -> None:
    assert re.search(rf"manage\.py {command}\b", _documents())


@pytest.mark.parametrize("variable", _variables())
def test_every_environment_variable_is_in_the_documents(variable: str) -> None:
    assert f"`{variable}`" in _documents()


def test_the_documents_name_no_command_that_is_not_there() -> None:
    builtin = {"migrate", "check", "makemigrations", "shell", "dbshell", "dumpdata", "loaddata", "help"}
    named = set(re.findall(r"manage\.py ([a-z_]+)", _documents()))
    assert named - builtin - set(COMMANDS) == set()


def test_the_readme_is_short_and_its_commands_are_targets_of_the_makefile() -> None:
    readme = (ROOT / "README.md").read_text()
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"(?:`|^    )make ([a-z]+)", readme, re.MULTILINE))
    assert readme.count("\n") <= README_LINES
    assert {"run", "test"} <= named <= targets
    assert "apt-get install -y git make python3-venv" in readme


@pytest.mark.parametrize("path", [path for path in tracked_files() if path.suffix == ".md"], ids=str)
def test_links_between_documents_lead_somewhere(path: Path) -> None:
    dead = [link for link in LINK.findall(path.read_text()) if not (path.parent / link).exists()]
    assert dead == []


def test_no_file_names_a_place_of_the_workshop() -> None:
    # Put together here, so that this file does not name them either.
    places = ["/" + "work/", "/tm" + "p/brief", "/opt/" + "pypi", "issue" + " 2,", "BRIEF" + ".md", "/root" + "/"]
    found = [
        f"{path.relative_to(ROOT)}: {place}"
        for path in tracked_files()
        if path.suffix not in {".mo", ".png", ".lock", ".sqlite3"}
        for place in places
        if place.encode() in path.read_bytes()
    ]
    assert found == []
