"""`manage.py account`: who may sign in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.core.management.base import CommandParser

from mailadmin import commands
from mailadmin.accounts import browse, services
from mailadmin.accounts.models import Account
from mailadmin.commands import ACTOR, GroupCommand

Options = dict[str, Any]


class Command(GroupCommand):
    """Add, show and change accounts."""

    help = "Add, list, show, edit, suspend, resume and remove accounts, and change their passwords."

    def actions(self, add: Callable[[str, Callable[[Options], None], str], CommandParser]) -> None:
        """Describe the actions' flags."""
        new = add("add", self.add, "Add an account; without a password file a password is generated and printed once.")
        new.add_argument("address")
        _add_password_flags(new)
        new.add_argument("--name", default="", help="the person's name")
        new.add_argument("--administrator", action="store_true", help="may sign in to the panel")
        _add_common_flags(new)
        listing = add("list", self.list, "List accounts.")
        listing.add_argument("--search", default="", metavar="TEXT")
        listing.add_argument("--show", default="all", choices=browse.SHOWN)
        for name, run, text in (
            ("show", self.show, "Show an account."),
            ("suspend", self.suspend, "Stop an account at once; its waiting mail is held."),
            ("resume", self.resume, "Let a suspended account go on."),
        ):
            add(name, run, text).add_argument("address")
        edit = add("edit", self.edit, "Change what is known of an account; flags that are left out change nothing.")
        edit.add_argument("address")
        edit.add_argument("--name")
        rank = edit.add_mutually_exclusive_group()
        rank.add_argument("--administrator", action="store_true", default=None, help="may sign in to the panel")
        rank.add_argument("--no-administrator", action="store_false", dest="administrator")
        _add_common_flags(edit)
        remove = add("remove", self.remove, "Remove an account; its mailbox stays on the disk.")
        remove.add_argument("address")
        remove.add_argument("--cancel-mail", action="store_true", help="cancel its mail that has not left yet")
        password = add("password", self.password, "Change the password; without a file one is generated.")
        password.add_argument("address")
        _add_password_flags(password)

    def add(self, options: Options) -> None:
        """Add an account."""
        password, generated = _password(options)
        account = services.add(
            actor=ACTOR,
            now=commands.now(),
            address=options["address"],
            password=password,
            name=options["name"],
            is_administrator=options["administrator"],
            senders=options["sender"] or (),
            note=options["note"] or "",
            quota=options["quota"],
        )
        self._tell_password(account, generated, f"{account} is added.")

    def list(self, options: Options) -> None:
        """List accounts."""
        rows = [_as_dict(account) for account in browse.matching(options["search"], options["show"])]
        columns = ("address", "name", "administrator", "suspended", "last_sign_in")
        self.tell_all(rows, columns, "There is no such account." if options["search"] else "There are no accounts yet.")

    def show(self, options: Options) -> None:
        """Show an account."""
        self._tell_account(services.find(options["address"]))

    def edit(self, options: Options) -> None:
        """Change an account."""
        account = services.find(options["address"])
        given = {
            "name": options["name"],
            "note": options["note"],
            "quota": options["quota"],
            "is_administrator": options["administrator"],
        }
        changes = {field: value for field, value in given.items() if value is not None}
        if changes.get("quota") == 0:
            changes["quota"] = None
        services.edit(account, actor=ACTOR, now=commands.now(), **changes)
        if options["sender"] is not None:
            services.set_senders(account, options["sender"], actor=ACTOR, now=commands.now())
        self._tell_account(account)

    def suspend(self, options: Options) -> None:
        """Suspend an account."""
        account = services.suspend(services.find(options["address"]), actor=ACTOR, now=commands.now())
        self.tell(_as_dict(account), f"{account} is suspended: no sign-in from now on, and its waiting mail is held.")

    def resume(self, options: Options) -> None:
        """Resume an account."""
        account = services.resume(services.find(options["address"]), actor=ACTOR, now=commands.now())
        self.tell(_as_dict(account), f"{account} may sign in again.")

    def remove(self, options: Options) -> None:
        """Remove an account."""
        account = services.find(options["address"])
        gone = _as_dict(account)
        services.remove(account, actor=ACTOR, now=commands.now(), cancel_mail=options["cancel_mail"])
        self.tell(gone, f"{gone['address']} is removed.")

    def password(self, options: Options) -> None:
        """Change a password."""
        account = services.find(options["address"])
        password, generated = _password(options)
        services.set_password(account, password, actor=ACTOR, now=commands.now())
        self._tell_password(account, generated, f"{account} has a new password.")

    def _tell_password(self, account: Account, generated: str | None, text: str) -> None:
        shown = {"password": generated} if generated else {}
        more = f" The password, shown only now: {generated}" if generated else ""
        self.tell({**_as_dict(account), **shown}, text + more)

    def _tell_account(self, account: Account) -> None:
        values = _as_dict(browse.matching().get(pk=account.pk))
        rows = [["account", account.address]]
        rows += [[key.replace("_", " "), commands.cell(value)] for key, value in values.items() if key != "address"]
        self.tell(values, commands.table(rows))


def _add_password_flags(parser: CommandParser) -> None:
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument("--password-file", metavar="FILE", help="read the password from FILE; - is standard input")
    choice.add_argument("--generate", action="store_true", help="generate a password and print it once (the default)")


def _add_common_flags(parser: CommandParser) -> None:
    parser.add_argument(
        "--sender",
        action="append",
        metavar="ADDRESS",
        help="it may also send from ADDRESS, name+*@example.org or *@example.org; may be given again",
    )
    parser.add_argument("--note", help="free text for administrators")
    parser.add_argument("--quota", type=int, metavar="OCTETS", help="limit of the mailbox")


def _password(options: Options) -> tuple[str, str | None]:
    """Return the password, and once more when it was generated."""
    if options["password_file"]:
        return commands.read_password(options["password_file"]), None
    generated = services.generate_password()
    return generated, generated


def _as_dict(account: Account) -> dict[str, Any]:
    return {
        "address": account.address,
        "name": account.name,
        "administrator": account.is_administrator,
        "suspended": account.suspended_at is not None,
        "suspended_at": account.suspended_at,
        "senders": [sender.pattern for sender in account.senders.all()],
        "note": account.note,
        "quota": account.quota,
        "created_at": account.created_at,
        "password_changed_at": account.password_changed_at,
        "last_sign_in": getattr(account, "signed_in_at", None),
    }
