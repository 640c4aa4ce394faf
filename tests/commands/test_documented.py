"""docs/commands.md names every action and every flag of every command, and every id of a check."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator

import pytest
from django.core.management import load_command_class

from mailadmin import checks
from tests.ground.checkout import ROOT

APPS = {
    "account": "mailadmin.accounts",
    "demo": "mailadmin.panel",
    "doctor": "mailadmin.server",
    "domain": "mailadmin.routing",
    "listener": "mailadmin.listeners",
    "queue": "mailadmin.queue",
    "route": "mailadmin.routing",
    "setup": "mailadmin.server",
    "smtpd": "smtpd",
    "up": "mailadmin.panel",
}
# Django gives these to every command.
OF_EVERY_COMMAND = {
    "--help", "--json", "--version", "--verbosity", "--settings", "--pythonpath", "--traceback", "--no-color",
    "--force-color", "--skip-checks",
}  # fmt: skip


def _document() -> str:
    return (ROOT / "docs" / "commands.md").read_text()


def _words(parser: argparse.ArgumentParser) -> Iterator[str]:
    """Yield the names of a parser's actions and flags, those of its actions included."""
    for action in parser._actions:
        yield from (flag for flag in action.option_strings if flag.startswith("--"))
        if isinstance(action, argparse._SubParsersAction):
            for name, below in action.choices.items():
                yield name
                yield from _words(below)


@pytest.mark.parametrize("name", sorted(APPS))
def test_every_action_and_flag_is_in_the_document(name: str) -> None:
    parser = load_command_class(APPS[name], name).create_parser("manage.py", name)
    words = set(_words(parser)) - OF_EVERY_COMMAND
    named = set(re.findall(r"[\w-]+", _document()))
    assert words - named == set()


def test_every_flag_in_the_document_is_there() -> None:
    words = set(OF_EVERY_COMMAND)
    for name, app in APPS.items():
        words |= set(_words(load_command_class(app, name).create_parser("manage.py", name)))
    assert set(re.findall(r"--[a-z][a-z0-9-]*", _document())) - words == set()


def test_every_id_of_a_check_is_in_the_document() -> None:
    ids = re.findall(r"mailadmin\.[EW]\d+", str(checks.__doc__))
    assert set(re.findall(r"mailadmin\.[EW]\d+", _document())) == set(ids)
