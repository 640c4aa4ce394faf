"""The smarthosts of a route as rows of one form, in the order in which they are tried.

Rows are added, removed and moved by buttons of the form itself, so it works without JavaScript: the form comes back
with the rows as wanted and nothing saved.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from django.http import QueryDict

from mailadmin.routing.forms import SmarthostForm, key
from mailadmin.routing.models import Smarthost
from mailadmin.routing.services import SmarthostInput

MOST: Final = 10
_FIELDS: Final = tuple(SmarthostForm.base_fields)
Values = dict[str, object]


def posted(data: QueryDict) -> list[Values]:
    """Return the rows in a posted form."""
    number = data.get("rows", "0")
    count = min(int(number), MOST) if number.isascii() and number.isdigit() and len(number) < 3 else 0  # noqa: PLR2004  # MOST has two digits
    return [{field: data.get(f"s{row}-{field}", "") for field in _FIELDS} for row in range(count)]


def saved(smarthosts: Iterable[Smarthost]) -> list[Values]:
    """Return the saved smarthosts as rows; their passwords stay where they are."""
    visible = [field for field in _FIELDS if field != "password"]
    return [{field: getattr(smarthost, field) for field in visible} for smarthost in smarthosts]


def blank() -> Values:
    """Return a row for one more smarthost."""
    return {field: SmarthostForm.base_fields[field].initial for field in _FIELDS}


def rearranged(rows: Sequence[Values], wish: str) -> list[Values]:
    """Return the rows after a button: ``add``, ``up-2``, ``remove-0``; an unknown wish changes nothing."""
    verb, _, digits = wish.partition("-")
    at = int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 3 else 0  # noqa: PLR2004  # MOST has two digits
    changed = [*rows]
    if verb == "add" and len(changed) < MOST:
        changed.append(blank())
    elif verb == "up" and 0 < at < len(changed):
        changed[at - 1], changed[at] = changed[at], changed[at - 1]
    elif verb == "remove" and at < len(changed):
        del changed[at]
    return changed or [blank()]


def is_empty(row: Values) -> bool:
    """Whether nobody typed anything that names a server."""
    return not any(str(row.get(field) or "").strip() for field in ("host", "username", "password", "ca_pem"))


class Rows:
    """The forms of all rows; bound ones are checked by `is_valid`, and empty ones then do not count."""

    def __init__(self, rows: Sequence[Values], known: Iterable[Smarthost], *, bound: bool = False) -> None:
        by_key = {key(smarthost): smarthost for smarthost in known}
        self.forms = [
            SmarthostForm({f"s{at}-{field}": value for field, value in row.items()}, prefix=f"s{at}", saved=by_key)
            if bound and not is_empty(row)
            else SmarthostForm(initial=row, prefix=f"s{at}", saved=by_key)
            for at, row in enumerate(rows)
        ]

    def __len__(self) -> int:
        return len(self.forms)

    @property
    def is_full(self) -> bool:
        """Whether no further row fits."""
        return len(self.forms) >= MOST

    def is_valid(self) -> bool:
        """Whether every row that is not empty is fine; each one gets its sentences."""
        wrong = [form for form in self.forms if form.is_bound and not form.is_valid()]
        return not wrong

    def given(self) -> list[SmarthostInput]:
        """Return the rows as the service takes them."""
        return [form.given() for form in self.forms if form.is_bound]
