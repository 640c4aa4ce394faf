"""`manage.py demo`: fill a new state folder with an invented household, to look at the panel with something in it."""

from __future__ import annotations

from typing import Any, Final

from mailadmin import commands
from mailadmin.accounts.models import Account
from mailadmin.commands import AdminCommand, Problem
from mailadmin.panel.demonstration.fill import fill
from mailadmin.panel.demonstration.household import HANAKO
from mailadmin.server import install

# Known to everybody who reads this: a demonstration is not for real mail.
PASSWORD: Final = "soba-noren-kumo-7316"  # noqa: S105  # of people who do not exist


class Command(AdminCommand):
    """Fills an installation that has no account yet."""

    help = (
        "Fill a new, empty installation with invented people, sign-ins and mail, to look at the panel. "
        "Name a folder of its own in MAILADMIN_HOME first: a real installation is refused."
    )

    def run(self, options: dict[str, Any]) -> None:
        """Fill it and print how to sign in."""
        del options
        install.migrate()
        if Account.objects.exists():
            raise Problem("There are accounts already. Name an empty folder in MAILADMIN_HOME.")
        fill(commands.now(), PASSWORD)
        self.tell(
            {"administrator": HANAKO.address, "password": PASSWORD},
            f"Sign in as {HANAKO.address} with the password {PASSWORD}; everybody else has the same one.",
        )
