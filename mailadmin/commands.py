"""What every command of `manage.py` here has in common.

A command prints words for people, or with ``--json`` an object (one thing) or an array of objects (a list). It ends
with 0 when all is well, 1 when there is a problem, told in words on standard error, and 2 when it was called wrongly.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from unicodedata import east_asian_width

from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.serializers.json import DjangoJSONEncoder
from django.db import Error as DatabaseError

from mailadmin.sealing import SealBrokenError
from mailadmin.server import faults

ACTOR: Final = "command line"
PROBLEM: Final = 1
USAGE: Final = 2
STANDARD_INPUT: Final = "-"


class Problem(CommandError):  # noqa: N818  # Django prints the class's name before the words
    """Something is wrong, in words for people; ends the command with 1."""


class Usage(CommandError):  # noqa: N818  # see Problem
    """The flags do not fit together; ends the command with 2."""

    def __init__(self, message: str) -> None:
        super().__init__(message, returncode=USAGE)


class AdminCommand(BaseCommand):
    """A command over the services: subclasses have `flags` and `run`."""

    # They would hide the words for what is wrong; `doctor` and `check` run them.
    requires_system_checks = ()
    as_json = False

    def add_arguments(self, parser: CommandParser) -> None:
        """Add ``--json`` and the command's own flags."""
        _add_json(parser)
        self.flags(parser)

    def flags(self, parser: CommandParser) -> None:
        """Add the command's own flags."""

    def run(self, options: dict[str, Any]) -> None:
        """Do what the command is for."""
        raise NotImplementedError

    def handle(self, *_args: Any, **options: Any) -> None:
        """Do it, and turn every refusal into words."""
        self.as_json = bool(options.get("json"))
        try:
            self.run(options)
        except ValidationError as error:
            raise Problem(words(error)) from error
        except DatabaseError as error:
            raise Problem(faults.explain(error)) from error
        except SealBrokenError as error:
            raise Problem(
                f"A stored secret cannot be opened: {error}. Put back the sealing.key that it was sealed with."
            ) from error
        except ImproperlyConfigured as error:
            raise Problem(str(error)) from error
        except OSError as error:
            place = f"{error.filename}: " if error.filename else ""
            raise Problem(f"{place}{error.strerror or error}.") from error
        except KeyboardInterrupt:
            raise Problem("Interrupted.") from None

    def tell(self, thing: Mapping[str, Any], text: str) -> None:
        """Print one thing: as an object with ``--json``, else as `text`."""
        self.stdout.write(_json(thing) if self.as_json else text)

    def tell_all(self, rows: Sequence[Mapping[str, Any]], columns: Sequence[str], empty: str) -> None:
        """Print a list: as an array of objects, else as a table of `columns`, or `empty` when there is nothing."""
        if self.as_json:
            self.stdout.write(_json(list(rows)))
        elif rows:
            self.stdout.write(table([[column.replace("_", " ") for column in columns], *_cells(rows, columns)]))
        else:
            self.stdout.write(empty)


class GroupCommand(AdminCommand):
    """A command of several actions, as in ``account add``: subclasses have `actions`."""

    def flags(self, parser: CommandParser) -> None:
        """Make a parser for each action."""
        group = parser.add_subparsers(title="actions", dest="action", required=True, metavar="ACTION")

        def add(name: str, run: Callable[[dict[str, Any]], None], text: str) -> CommandParser:
            action: CommandParser = group.add_parser(name, help=text, description=text)
            _add_json(action)
            action.set_defaults(run_action=run)
            return action

        self.actions(add)

    def actions(self, add: Callable[[str, Callable[[dict[str, Any]], None], str], CommandParser]) -> None:
        """Call ``add(name, method, help)`` for each action, and put its flags into the parser that it returns."""
        raise NotImplementedError

    def run(self, options: dict[str, Any]) -> None:
        """Run the action's method."""
        options["run_action"](options)


def now() -> datetime:
    """Return the time, for a command that passes it on to services."""
    return datetime.now(UTC)


def words(error: ValidationError) -> str:
    """Return every reason of a refusal, one a line; a field's reason begins with the field's name."""
    if not hasattr(error, "error_dict"):
        return "\n".join(error.messages)
    return "\n".join(
        f"{field.replace('_', ' ')}: {message}"
        for field, messages in error.message_dict.items()
        for message in messages
    )


def read_text(path: str) -> str:
    """Return the text of the file `path`; ``-`` is standard input.

    Raises:
        Problem: it cannot be read, or is no text.
    """
    try:
        return sys.stdin.read() if path == STANDARD_INPUT else Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise Problem(f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise Problem(f"{path} is not text in UTF-8.") from error


def read_password(path: str) -> str:
    """Return the password in the file `path` (``-`` is standard input), without the line end after it.

    Raises:
        Problem: the file cannot be read, or is empty.
    """
    password = read_text(path).removesuffix("\n").removesuffix("\r")
    if not password:
        raise Problem("There is no password on standard input." if path == STANDARD_INPUT else f"{path} is empty.")
    return password


def table(rows: Sequence[Sequence[str]]) -> str:
    """Return rows in columns as wide as their widest cell, the first row being the heading."""
    widths = [max(_width(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = (
        "  ".join(cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True)) for row in rows
    )
    return "\n".join(line.rstrip() for line in lines)


def _add_json(parser: CommandParser) -> None:
    # Suppressed, so that the parser of an action does not overwrite what stands before the action.
    parser.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print JSON")


def _json(value: object) -> str:
    return json.dumps(value, cls=DjangoJSONEncoder, ensure_ascii=False, indent=2)


def _cells(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> list[list[str]]:
    return [[cell(row[column]) for column in columns] for row in rows]


def cell(value: object) -> str:
    """Return a value as people read it in a table."""
    match value:
        case None | "" | []:
            return "-"
        case bool():
            return "yes" if value else "no"
        case datetime():
            return value.strftime("%Y-%m-%d %H:%M UTC")
        case list():
            return ", ".join(str(item) for item in value)
        case _:
            return str(value)


def _width(text: str) -> int:
    """Return how many columns of a terminal a text takes; East Asian wide characters take two."""
    return sum(2 if east_asian_width(character) in "WF" else 1 for character in text)
