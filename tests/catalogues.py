"""The panel's texts: found in templates and code, compared with the Japanese catalogues, brought into them.

Each app has a catalogue of its own, ``mailadmin/<app>/locale/ja/LC_MESSAGES/django.po``, with the compiled ``.mo``
beside it. ``python -m tests.catalogues`` adds what is new to them (untranslated), drops what is gone and compiles;
``python -m tests.catalogues --missing`` prints what has no Japanese yet. Found texts are grouped by the app their
file belongs to: a template's by its folder.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from babel.messages import pofile
from babel.messages.catalog import Catalog
from babel.messages.extract import extract
from babel.messages.mofile import write_mo
from django.utils.translation import templatize

ROOT: Final = Path(__file__).resolve().parent.parent
KEYWORDS: Final[dict[str, tuple[int | tuple[int, int] | tuple[int, str], ...] | None]] = {
    "_": None,
    "gettext": None,
    "gettext_lazy": None,
    "gettext_noop": None,
    "ngettext": (1, 2),
    "ngettext_lazy": (1, 2),
    "pgettext": ((1, "c"), 2),
    "pgettext_lazy": ((1, "c"), 2),
    "npgettext": ((1, "c"), 2, 3),
}
# Folders of templates that are not named as the app that their texts belong to.
APP_OF_FOLDER: Final = {
    "base.html": "panel",
    "bare.html": "panel",
    "components": "panel",
    "mail": "queue",
    "settings": "panel",
    "setup": "server",
    "sign_ins": "activity",
}
# Headers that say nothing here, or change with the clock.
_NOISE: Final = (
    '"Project-Id',
    '"Report-Msgid',
    '"POT-Creation',
    '"PO-Revision',
    '"Last-Translator',
    '"Language-Team',
    '"Generated-By',
)
Key = tuple[str | None, str | tuple[str, str]]


def app_of(path: Path) -> str:
    """Return the app whose catalogue holds the texts of a file, given by its path in the checkout."""
    parts = path.parts
    if parts[0] == "templates":
        return APP_OF_FOLDER.get(parts[1], parts[1])
    return parts[1] if len(parts) > 2 else "panel"


def _files() -> Iterator[Path]:
    yield from sorted((ROOT / "templates").rglob("*.html"))
    yield from (path for path in sorted((ROOT / "mailadmin").rglob("*.py")) if "migrations" not in path.parts)


def found() -> Iterator[tuple[Path, int, Key]]:
    """Yield every text for people: its file, its line, and its context with msgid (and plural)."""
    for path in _files():
        source = path.read_text(encoding="utf-8")
        if path.suffix == ".html":
            # What stands around the texts is no Python: without its indentation the tokenizer takes it.
            source = "\n".join(line.strip() for line in templatize(source, origin=str(path)).splitlines())
        where = path.relative_to(ROOT)
        for line, message, _comments, context in extract("python", io.BytesIO(source.encode()), keywords=KEYWORDS):
            yield where, line, (context, message if isinstance(message, str) else (message[0], message[1]))


def po_path(app: str) -> Path:
    """Return where the Japanese catalogue of `app` is."""
    return ROOT / "mailadmin" / app / "locale/ja/LC_MESSAGES/django.po"


def read(app: str) -> Catalog:
    """Return the catalogue of `app`; an empty one when there is none."""
    path = po_path(app)
    if not path.exists():
        return Catalog(locale="ja", project="mailadmin", charset="utf-8")
    with path.open("rb") as file:
        return pofile.read_po(file, locale="ja")


def key_of(context: str | bytes | None, identity: object) -> Key:
    """Return the key of a message of a catalogue (babel leaves the context in a .mo as octets)."""
    context = context.decode() if isinstance(context, bytes) else context
    return context, identity if isinstance(identity, str) else (str(identity[0]), str(identity[1]))  # type: ignore[index]  # babel: a tuple of two


def first(string: Sequence[str] | None) -> str:
    """Return a translation; of plural forms the first, which is the only one in Japanese."""
    return string if isinstance(string, str) else (string or [""])[0]


def compiled(catalog: Catalog) -> bytes:
    """Return the catalogue as a .mo file, the same whenever it is made."""
    catalog.creation_date = catalog.revision_date = datetime(2000, 1, 1, tzinfo=UTC)
    buffer = io.BytesIO()
    write_mo(buffer, catalog)
    return buffer.getvalue()


def _texts_by_app() -> dict[str, dict[Key, list[str]]]:
    texts: dict[str, dict[Key, list[str]]] = {}
    for path, _line, key in found():
        places = texts.setdefault(app_of(path), {}).setdefault(key, [])
        if str(path) not in places:
            places.append(str(path))
    return texts


def update(app: str, texts: dict[Key, list[str]]) -> list[Key]:
    """Bring the catalogue of `app` in line with `texts` and compile it; return what is untranslated."""
    old = read(app)
    new = Catalog(locale="ja", project="mailadmin", charset="utf-8", fuzzy=False)
    new.header_comment = f"# Japanese texts of {app}."
    missing: list[Key] = []
    for key, places in sorted(texts.items(), key=lambda item: (item[1][0], str(item[0][1]))):
        context, identity = key
        lookup = identity if isinstance(identity, str) else identity[0]
        before = old.get(lookup, context)
        string = before.string if before is not None else ""
        if isinstance(identity, tuple) and isinstance(string, str):
            string = (string,)
        new.add(identity, string, locations=[(place, 0) for place in places], context=context)
        if not first(string):
            missing.append(key)
    path = po_path(app)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        pofile.write_po(file, new, width=118, omit_header=False, include_lineno=False)
    lines = [line for line in path.read_text().splitlines() if not line.startswith(_NOISE)]
    path.write_text("\n".join(lines) + "\n")
    path.with_suffix(".mo").write_bytes(compiled(read(app)))
    return missing


def main(arguments: list[str]) -> int:
    """Update all catalogues (or those of the apps named), or print what is missing."""
    named = [argument for argument in arguments if not argument.startswith("-")]
    for app, texts in sorted(_texts_by_app().items()):
        if named and app not in named:
            continue
        if "--missing" in arguments:
            known = read(app)
            for context, identity in texts:
                message = known.get(identity if isinstance(identity, str) else identity[0], context)
                if message is None or not first(message.string):
                    sys.stdout.write(f"{app}: {identity!r}\n")
        else:
            missing = update(app, texts)
            sys.stdout.write(f"{app}: {len(texts)} texts, {len(missing)} without Japanese\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
