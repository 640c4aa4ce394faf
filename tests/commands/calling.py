"""Call a command in this process, on the test's own database, and see what a shell would."""

from __future__ import annotations

import json
from dataclasses import dataclass
from io import StringIO
from typing import Any

from django.core.management import call_command
from django.core.management.base import CommandError


@dataclass(frozen=True, slots=True)
class Called:
    """What came of a command: `code` is its exit status."""

    code: int
    out: str
    error: str

    @property
    def json(self) -> Any:
        """What it printed, parsed."""
        return json.loads(self.out)


def manage(*arguments: str) -> Called:
    """Run ``manage.py`` with `arguments`."""
    out = StringIO()
    try:
        call_command(*arguments, stdout=out)
    except CommandError as error:
        return Called(error.returncode, out.getvalue(), str(error))
    return Called(0, out.getvalue(), "")
