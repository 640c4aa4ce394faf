"""`manage.py listener`: where the daemon listens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import CommandParser

from mailadmin import commands
from mailadmin.commands import ACTOR, GroupCommand, Usage
from mailadmin.listeners import services
from mailadmin.listeners.models import Listener, Role

Options = dict[str, Any]


class Command(GroupCommand):
    """List, add, change and remove listeners."""

    help = "List, add, change and remove the ports that the daemon listens on; changes are live within a second."

    def actions(self, add: Callable[[str, Callable[[Options], None], str], CommandParser]) -> None:
        """Describe the actions' flags."""
        add("list", self.list, "List listeners.")
        new = add("add", self.add, "Add a listener; without a free port it is off until it gets one.")
        new.add_argument("name")
        new.add_argument("--role", required=True, choices=Role.values)
        change = add("set", self.set, "Change a listener; flags that are left out change nothing.")
        change.add_argument("name")
        for parser in (new, change):
            _add_flags(parser)
        add("remove", self.remove, "Remove a listener; its open connections live on.").add_argument("name")

    def list(self, _options: Options) -> None:
        """List listeners."""
        rows = [_as_dict(listener) for listener in Listener.objects.order_by("id")]
        self.tell_all(rows, ("name", "role", "enabled", "address", "address6", "port"), "There are no listeners.")

    def add(self, options: Options) -> None:
        """Add a listener."""
        wanted = {"name": options["name"], "role": options["role"], **_changes(options)}
        try:
            listener = services.add(actor=ACTOR, now=commands.now(), **wanted)
        except ValidationError as error:
            # The usual port of the role is taken, and nobody asked for it: add it, but off.
            if "port" in wanted or "enabled" in wanted or "port" not in error.message_dict:
                raise
            listener = services.add(actor=ACTOR, now=commands.now(), enabled=False, **wanted)
        self._tell(listener)

    def set(self, options: Options) -> None:
        """Change a listener."""
        changes = _changes(options)
        if not changes:
            raise Usage("Say what to change: --address, --port, --on or --off.")
        self._tell(services.change(services.find(options["name"]), actor=ACTOR, now=commands.now(), **changes))

    def remove(self, options: Options) -> None:
        """Remove a listener."""
        listener = services.find(options["name"])
        gone = _as_dict(listener)
        services.remove(listener, actor=ACTOR, now=commands.now())
        self.tell(gone, f"The listener {gone['name']} is removed.")

    def _tell(self, listener: Listener) -> None:
        values = _as_dict(listener)
        places = " and ".join(
            f"[{address}]" if ":" in address else address
            for address in (listener.address, listener.address6)
            if address
        )
        text = (
            f"{listener.name} ({listener.role}) listens on port {listener.port} of {places}."
            if listener.enabled
            else f"{listener.name} ({listener.role}) is off. To open it: "
            f"manage.py listener set {listener.name} --port PORT --on"
        )
        self.tell(values, text)


def _add_flags(parser: CommandParser) -> None:
    parser.add_argument(
        "--address",
        action="append",
        metavar="ADDRESS",
        help="an IPv4 or IPv6 address to listen on, once for each; none (or empty) gives up the IPv4 address",
    )
    parser.add_argument("--address6", metavar="ADDRESS", help="an IPv6 address; none (or empty) gives it up")
    parser.add_argument("--port", type=int)
    state = parser.add_mutually_exclusive_group()
    state.add_argument("--on", action="store_true", default=None, dest="enabled")
    state.add_argument("--off", action="store_false", dest="enabled")


def _changes(options: Options) -> dict[str, Any]:
    """Return the fields that the flags name; an address goes to the field of its family."""
    changes: dict[str, Any] = {}
    for address in options["address"] or ():
        field = "address6" if ":" in address else "address"
        if field in changes:
            raise Usage(f"A listener has one IPv4 and one IPv6 address; {changes[field]} and {address} are of a kind.")
        changes[field] = address
    if options["address6"] is not None:
        if "address6" in changes:
            raise Usage("The IPv6 address is given twice.")
        changes["address6"] = options["address6"]
    if options["port"] is not None:
        changes["port"] = options["port"]
    if options["enabled"] is not None:
        changes["enabled"] = options["enabled"]
    return changes


def _as_dict(listener: Listener) -> dict[str, Any]:
    fields = ("name", "role", *services.CHANGEABLE)
    return {field: getattr(listener, field) for field in fields}
