"""`manage.py setup`: the first run without a browser."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from mailadmin import commands
from mailadmin.commands import ACTOR, AdminCommand, Usage
from mailadmin.routing import flags
from mailadmin.routing.targets import WayOut
from mailadmin.server import install, setup


class Command(AdminCommand):
    """Make the databases, the administrator, the first domain and the way out."""

    help = (
        "Do the first run: make the databases, the administrator's account, the first local domain and the way out. "
        "Without --smarthost and --local-only, mail goes directly to the recipients' servers."
    )

    def flags(self, parser: CommandParser) -> None:
        """Describe the flags."""
        parser.add_argument("--hostname", required=True, metavar="NAME", help="the server's name: mail.example.org")
        parser.add_argument("--domain", required=True, help="the mail domain whose mailboxes are here: example.org")
        parser.add_argument("--admin", required=True, metavar="ADDRESS", help="the administrator's address")
        parser.add_argument(
            "--admin-password-file",
            metavar="FILE",
            help="- is standard input; without it a password is generated and printed once",
        )
        flags.add_smarthost_flags(parser)
        parser.add_argument("--local-only", action="store_true", help="no mail leaves this server")

    def run(self, options: dict[str, Any]) -> None:
        """Do the first run; the same one again changes nothing, another one is refused."""
        flags.one_standard_input(options["admin_password_file"], *(options["smarthost_password_file"] or ()))
        way_out = _way_out(options)
        path = options["admin_password_file"]
        wanted: dict[str, Any] = {
            "hostname": options["hostname"],
            "domain": options["domain"],
            "administrator": options["admin"],
            "administrator_password": commands.read_password(path) if path else None,
            "way_out": way_out,
        }
        install.migrate()
        if setup.stands(**wanted):
            self._tell(options, way_out, password=None, changed=False)
            return
        outcome = setup.run(now=commands.now(), actor=ACTOR, **wanted)
        self._tell(options, way_out, password=outcome.password, changed=True)

    def _tell(self, options: dict[str, Any], way_out: WayOut, *, password: str | None, changed: bool) -> None:
        shown = {
            "hostname": options["hostname"],
            "domain": options["domain"],
            "administrator": options["admin"],
            "via": way_out.via,
            "changed": changed,
            **({"password": password} if password else {}),
        }
        text = (
            f"{options['hostname']} is set up for {options['domain']}; the administrator is {options['admin']}."
            if changed
            else f"{options['hostname']} is set up like this already; nothing was changed."
        )
        if password:
            text += f"\nThe administrator's password, shown only now: {password}"
        self.tell(shown, text + "\nStart it with “make run” or “manage.py up”.")


def _way_out(options: dict[str, Any]) -> WayOut:
    smarthosts = flags.smarthosts(options)
    if smarthosts and options["local_only"]:
        raise Usage("--smarthost and --local-only exclude each other.")
    if smarthosts:
        return WayOut("smarthost", smarthosts)
    return WayOut("none" if options["local_only"] else "mx")
