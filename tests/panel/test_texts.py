"""The panel is complete in Japanese: every text for people, in templates and code, in a catalogue and compiled."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from babel.messages.catalog import Message
from babel.messages.mofile import read_mo

from tests import catalogues
from tests.catalogues import ROOT, Key

APPS: Final = sorted(path.parents[3].name for path in ROOT.glob("mailadmin/*/locale/ja/LC_MESSAGES/django.po"))
PLACEHOLDER: Final = re.compile(r"%\([a-z_]+\)[a-z]|%[sd]|{[a-z_]*}")


def _messages(app: str) -> Iterator[tuple[Key, Message]]:
    for message in catalogues.read(app):
        if message.id:
            yield catalogues.key_of(message.context, message.id), message


def _japanese(message: Message) -> str:
    return catalogues.first(message.string)


def test_every_text_is_translated_in_its_apps_catalogue() -> None:
    known = {app: {key for key, message in _messages(app) if _japanese(message)} for app in APPS}
    missing = [
        f"{path}:{line}: {key[1]!r}"
        for path, line, key in catalogues.found()
        if key not in known.get(catalogues.app_of(path), set())
    ]
    assert not missing, "\n".join(["run python -m tests.catalogues, then translate:", *missing])


@pytest.mark.parametrize("app", APPS)
def test_no_translation_is_fuzzy_or_empty_or_left_over(app: str) -> None:
    found = {key for path, _line, key in catalogues.found() if catalogues.app_of(path) == app}
    for key, message in _messages(app):
        assert not message.fuzzy, key
        assert _japanese(message), key
        assert key in found, f"nothing says this any more: {key}"
    assert not catalogues.read(app).obsolete


@pytest.mark.parametrize("app", APPS)
def test_the_compiled_catalogue_is_the_written_one(app: str) -> None:
    with catalogues.po_path(app).with_suffix(".mo").open("rb") as file:
        compiled = {
            catalogues.key_of(message.context, message.id): catalogues.first(message.string)
            for message in read_mo(file)
            if message.id
        }
    assert compiled == {key: _japanese(message) for key, message in _messages(app)}


@pytest.mark.parametrize("app", APPS)
def test_a_translation_has_the_placeholders_of_its_text(app: str) -> None:
    for key, message in _messages(app):
        english = key[1] if isinstance(key[1], str) else key[1][1]
        assert set(PLACEHOLDER.findall(_japanese(message))) == set(PLACEHOLDER.findall(english)), key


def test_no_two_catalogues_translate_a_text_differently() -> None:
    # Django merges the apps' catalogues, and the first one in INSTALLED_APPS wins.
    seen: dict[Key, tuple[str, str]] = {}
    for app in APPS:
        for key, message in _messages(app):
            first, text = seen.setdefault(key, (app, _japanese(message)))
            assert text == _japanese(message), f"{key}: {first} and {app} differ"


def test_texts_are_found_in_templates_and_in_code() -> None:
    texts = {(path, key[1]) for path, _line, key in catalogues.found()}
    assert (Path("templates/panel/login.html"), "For administrators of this mail server.") in texts
    assert (Path("mailadmin/panel/sign_in.py"), "The address or the password is wrong.") in texts
