"""`manage.py route`: where mail for other domains goes, and whether that works."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

from django.core.management.base import CommandParser

from mailadmin import commands
from mailadmin.commands import ACTOR, GroupCommand, Problem, Usage
from mailadmin.routing import flags, patterns, services, targets, trials
from mailadmin.routing.models import Route, RouteTest, Smarthost

Options = dict[str, Any]
# How long `test` waits for the daemon, in seconds; a smarthost may take minutes to refuse.
TIMEOUT: Final = 120.0
_POLL: Final = 0.1
_NO_DAEMON: Final = "No daemon is running that could try it. Start it with “make run” or “manage.py up”."


class Command(GroupCommand):
    """List, set, remove and test routes."""

    help = "Say where mail for other domains goes, and test it."

    def actions(self, add: Callable[[str, Callable[[Options], None], str], CommandParser]) -> None:
        """Describe the actions' flags."""
        add("list", self.list, "List routes.")
        new = add("set", self.set, "Set the way out for a pattern of domains.")
        new.add_argument("pattern", nargs="?", default="*", help="* (the default), example.org or *.example.org")
        flags.add_smarthost_flags(new)
        way = new.add_mutually_exclusive_group()
        way.add_argument("--mx", action="store_true", help="directly to the servers of the recipients' domains")
        way.add_argument("--none", action="store_true", help="nowhere: such mail is refused")
        add("remove", self.remove, "Remove a route; a wider one then holds.").add_argument("pattern")
        test = add("test", self.test, "Let the running daemon try a way out, step by step, without sending mail.")
        test.add_argument("pattern", nargs="?", default="*", help="a route's pattern, or a recipient's domain")
        flags.add_smarthost_flags(test)
        test.add_argument("--timeout", type=float, default=TIMEOUT, metavar="SECONDS", help="wait for the daemon")

    def list(self, _options: Options) -> None:
        """List routes."""
        rows = [_as_dict(route) for route in Route.objects.order_by("id").prefetch_related("smarthosts")]
        if not self.as_json:
            rows = [{**row, "smarthosts": [_words(smarthost) for smarthost in row["smarthosts"]]} for row in rows]
        self.tell_all(rows, ("pattern", "via", "smarthosts"), "There are no routes.")

    def set(self, options: Options) -> None:
        """Set a route."""
        wanted = flags.smarthosts(options)
        ways = [
            name for name, chosen in (("smarthost", wanted), ("mx", options["mx"]), ("none", options["none"])) if chosen
        ]
        if len(ways) != 1:
            raise Usage("Say how mail leaves, by one of --smarthost, --mx and --none.")
        route = services.set_route(
            actor=ACTOR, now=commands.now(), pattern=options["pattern"], via=ways[0], smarthosts=wanted
        )
        self.tell(_as_dict(route), f"Mail for {route.pattern} {_way(route)}.")

    def remove(self, options: Options) -> None:
        """Remove a route."""
        route = services.find_route(options["pattern"])
        gone = _as_dict(route)
        services.remove_route(route, actor=ACTOR, now=commands.now())
        self.tell(gone, f"The route for {gone['pattern']} is removed.")

    def test(self, options: Options) -> None:
        """Ask for tests, wait for the answers, and show them."""
        if not trials.runner_is_alive(commands.now()):
            raise Problem(_NO_DAEMON)
        tests = _candidates(options) or _of_route(options["pattern"])
        answered = [self._wait(test, options["timeout"]) for test in tests]
        shown = [{"target": _named(test), "ok": bool(test.ok), "steps": test.steps} for test in answered]
        everything = all(test["ok"] for test in shown)
        self.tell({"ok": everything, "tests": shown}, "\n".join(_report(test) for test in shown))
        if not everything:
            raise Problem("The test failed.")

    def _wait(self, test: RouteTest, timeout: float) -> RouteTest:
        end = time.monotonic() + timeout
        while test.finished_at is None:
            if not trials.runner_is_alive(commands.now()):
                raise Problem(_NO_DAEMON)
            if time.monotonic() > end:
                raise Problem(f"The daemon has not answered within {timeout:g} seconds.")
            time.sleep(_POLL)
            test.refresh_from_db()
        return test


def _candidates(options: Options) -> list[RouteTest]:
    """Ask for a test of each smarthost that the flags name; a password that is left out is the saved one."""
    asked = []
    for given in map(targets.smarthost, flags.smarthosts(options)):
        rows = Smarthost.objects.filter(host=given.host, port=given.port, username=given.username)
        saved = rows.exclude(username="").first() if given.password is None else None
        known = given.password is not None or (saved is not None and bool(saved.password_sealed))
        targets.check_credentials(given.tls, given.username, has_password=known)
        asked.append(
            trials.ask_test(
                now=commands.now(), target=trials.target_of(given), password=given.password, smarthost=saved
            )
        )
    return asked


def _of_route(text: str) -> list[RouteTest]:
    """Ask for tests of the route that has this pattern, or that holds for this domain."""
    pattern = targets.pattern(text)
    route = Route.objects.filter(pattern=pattern).first() or _covering(pattern)
    if route.via == Route.Via.NONE:
        raise Problem(
            f"Mail for {pattern} goes nowhere (the route {route.pattern} is “none”): there is nothing to test."
        )
    if route.via == Route.Via.MX:
        if "*" in pattern:
            raise Usage(
                "Mail goes directly to the recipients' servers: name a domain to try, as in “route test example.net”."
            )
        return [trials.ask_test(now=commands.now(), target={"via": "mx", "domain": pattern})]
    return [
        trials.ask_test(now=commands.now(), target=trials.target_of(smarthost), smarthost=smarthost)
        for smarthost in route.smarthosts.all()
    ]


def _covering(domain: str) -> Route:
    routes = {route.pattern: route for route in Route.objects.all()}
    pattern = patterns.best(routes, domain)
    if pattern is None:
        raise Problem(f"No route holds for {domain}.")
    return routes[pattern]


def _as_dict(route: Route) -> dict[str, Any]:
    return {
        "pattern": route.pattern,
        "via": route.via,
        "smarthosts": [_smarthost_as_dict(smarthost) for smarthost in route.smarthosts.all()],
    }


def _smarthost_as_dict(row: Smarthost) -> dict[str, Any]:
    return {
        "host": row.host,
        "port": row.port,
        "tls": row.tls,
        "username": row.username,
        "has_password": bool(row.password_sealed),
        "own_authority": bool(row.ca_pem),
    }


def _words(smarthost: dict[str, Any]) -> str:
    user = f"{smarthost['username']} at " if smarthost["username"] else ""
    return f"{user}{smarthost['host']}:{smarthost['port']} ({smarthost['tls']})"


def _way(route: Route) -> str:
    if route.via == Route.Via.SMARTHOST:
        return "leaves through " + ", then ".join(_words(_smarthost_as_dict(row)) for row in route.smarthosts.all())
    return "goes directly to its servers" if route.via == Route.Via.MX else "is refused"


def _named(test: RouteTest) -> str:
    if test.target.get("via") == "mx":
        return str(test.target.get("domain"))
    return f"{test.target.get('host')}:{test.target.get('port')}"


def _report(test: dict[str, Any]) -> str:
    lines = [f"{test['target']}: {'works' if test['ok'] else 'does not work'}"]
    lines += [f"  {'ok' if step['ok'] else 'FAILED'}  {step['step']}: {step['text']}" for step in test["steps"]]
    return "\n".join(lines)
