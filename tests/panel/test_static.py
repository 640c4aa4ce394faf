"""What the browser loads: all of it from this server, nothing inline, vendored files unchanged."""

from __future__ import annotations

import base64
import hashlib
import re
import tomllib
from pathlib import Path
from typing import Final

import pytest

from tests.catalogues import ROOT

STATIC: Final = ROOT / "static"
VENDOR: Final = STATIC / "vendor"
TEMPLATES: Final = sorted((ROOT / "templates").rglob("*.html"))
OWN: Final = sorted(
    path for path in STATIC.rglob("*") if path.suffix in {".css", ".js", ".svg"} and VENDOR not in path.parents
)
# What names itself by a URL without loading anything.
NAMES: Final = ("http://www.w3.org/2000/svg",)
INLINE: Final = re.compile(r"\sstyle=|\son[a-z]+=|javascript:|<style|<script(?![^>]*\ssrc=)|\shx-on", re.IGNORECASE)
MOST_OF_PANEL_CSS: Final = 15 * 1024


def _packages() -> list[dict[str, object]]:
    packages: list[dict[str, object]] = tomllib.loads((VENDOR / "VENDOR.toml").read_text())["package"]
    return packages


def _files() -> dict[str, str]:
    return {file["path"]: file["integrity"] for package in _packages() for file in package["file"]}  # type: ignore[attr-defined]  # TOML's tables


def test_every_vendored_file_has_the_hash_that_was_written_down() -> None:
    for path, integrity in _files().items():
        digest = base64.b64encode(hashlib.sha384((VENDOR / path).read_bytes()).digest()).decode()
        assert integrity == f"sha384-{digest}", path


def test_every_vendored_file_is_written_down() -> None:
    there = {str(path.relative_to(VENDOR)) for path in VENDOR.rglob("*") if path.is_file()}
    assert there == {*_files(), "VENDOR.toml"}


@pytest.mark.parametrize("path", [*TEMPLATES, *OWN], ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_names_another_host(path: Path) -> None:
    text = path.read_text()
    for name in NAMES:
        text = text.replace(name, "")
    assert not re.search(r"(?:src|href|action|url\()\s*=?\s*[\"'(]?\s*(?:https?:)?//", text)
    assert "data:" not in text.replace("data: URLs", "")


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_template_has_inline_script_or_style(path: Path) -> None:
    assert not INLINE.search(re.sub(r"{% comment %}.*?{% endcomment %}", "", path.read_text(), flags=re.DOTALL))


def test_the_search_for_inline_code_finds_some() -> None:
    for wrong in ('<p style="color: red">', '<a onclick="x()">', "<script>x()</script>", '<a href="javascript:x()">'):
        assert INLINE.search(wrong), wrong
    assert not INLINE.search('<script src="/static/x.js" defer></script>')


def test_every_icon_that_is_named_is_in_the_sprite() -> None:
    there = set(re.findall(r'<symbol id="([^"]+)"', (VENDOR / "lucide/sprite.svg").read_text()))
    named = {
        name for path in TEMPLATES for name in re.findall(r'{% icon "([^"]+)" %}|icon="([^"]+)"', path.read_text())
    }
    assert {first or second for first, second in named} <= there


def test_the_stylesheet_stays_small() -> None:
    assert (STATIC / "panel/panel.css").stat().st_size <= MOST_OF_PANEL_CSS
