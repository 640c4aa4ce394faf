"""`manage.py domain`: whose mailboxes are here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.core.management.base import CommandParser

from mailadmin import commands
from mailadmin.commands import ACTOR, GroupCommand
from mailadmin.routing import services
from mailadmin.routing.models import Domain

Options = dict[str, Any]


class Command(GroupCommand):
    """List, add and remove local domains."""

    help = "List, add and remove the domains whose mailboxes are here."

    def actions(self, add: Callable[[str, Callable[[Options], None], str], CommandParser]) -> None:
        """Describe the actions' flags."""
        add("list", self.list, "List local domains.")
        new = add("add", self.add, "Add a local domain; its mailboxes are Maildirs, unless an LMTP server has them.")
        new.add_argument("name")
        new.add_argument("--lmtp", default="", metavar="HOST:PORT|/PATH", help="hand its mail to this LMTP server")
        new.add_argument("--node", default="", help="the node whose disk has the Maildirs, where there are several")
        remove = add("remove", self.remove, "Make a domain foreign again; its accounts and mailboxes stay.")
        remove.add_argument("name")

    def list(self, _options: Options) -> None:
        """List local domains."""
        rows = [_as_dict(domain) for domain in Domain.objects.order_by("name")]
        self.tell_all(rows, ("name", "delivery", "lmtp_target", "node"), "There are no local domains.")

    def add(self, options: Options) -> None:
        """Add a local domain."""
        domain = services.add_domain(
            actor=ACTOR,
            now=commands.now(),
            name=options["name"],
            delivery="lmtp" if options["lmtp"] else "maildir",
            lmtp_target=options["lmtp"],
            node=options["node"],
        )
        place = f"handed to {domain.lmtp_target} by LMTP" if domain.lmtp_target else "put into Maildirs here"
        self.tell(_as_dict(domain), f"{domain} is local: its mail is {place}.")

    def remove(self, options: Options) -> None:
        """Remove a local domain."""
        domain = services.find_domain(options["name"])
        gone = _as_dict(domain)
        services.remove_domain(domain, actor=ACTOR, now=commands.now())
        self.tell(gone, f"{gone['name']} is not local any more; mail for it follows a route.")


def _as_dict(domain: Domain) -> dict[str, Any]:
    return {
        "name": domain.name,
        "delivery": domain.delivery,
        "lmtp_target": domain.lmtp_target,
        "node": domain.node,
    }
