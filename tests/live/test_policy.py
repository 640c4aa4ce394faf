"""Listeners, certificate, domains, mechanisms, routes and limits: in force in every worker within a second.

There are two workers, on either database. Each change is made as people make it, in the browser or by a command; the
time counts from the page that answers, or from the end of the command, until a number of new connections in a row all
obey. The page must say "In force on 2 of 2 workers" as soon, and no process may have been replaced.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import pytest

from tests import cast
from tests.ground.daemon import Product, Template, wait_until
from tests.ground.panel import Page, Panel
from tests.ground.ports import free_port
from tests.ground.smarthost import Smarthost
from tests.ground.wire import Wire, signed_in
from tests.live.pouring import pouring_in

pytestmark = pytest.mark.alone
LIMIT: Final = 1.0  # seconds
WORKERS: Final = 2
# The system spreads connections over the workers by chance: that one of two is never met is 1 in 128.
ASKED: Final = 8
EVERYWHERE: Final = f"In force on {WORKERS} of {WORKERS} workers."
MECHANISM: Final = """
from datetime import UTC, datetime
from mailadmin.sasl.services import allow
allow("{}", actor="command line", now=datetime.now(UTC), with_tls={})
"""


@dataclass(slots=True)
class Place:
    """A product with two workers, and the administrator's browser."""

    product: Product
    panel: Panel
    processes: dict[str, list[int]]
    times: list[float] = field(default_factory=list)  # seconds of every change

    def change(self, path: str, action: str = "", having: str = "", **values: str) -> Page:
        """Send the form of the page at `path` that goes to `action` or has the field `having`."""
        page = self.panel.submit(self.panel.get(path).form(action=action, having=having), **values)
        assert page.status == 200, page.text
        return page

    def in_force(self, obeys: Callable[[], bool]) -> float:
        """Return after how many seconds from now all new connections obey and the panel says so.

        Raises:
            AssertionError: not in time, or another process runs.
        """
        began = time.monotonic()
        wait_until(lambda: all(obeys() for _ in range(ASKED)), "new connections obey", 10, 0.01)
        seconds = time.monotonic() - began
        wait_until(lambda: EVERYWHERE in self.panel.get("/in-force/").text, "the panel says so", 10, 0.01)
        assert max(seconds, time.monotonic() - began - seconds) < LIMIT
        assert processes(self.product) == self.processes
        self.times.append(seconds)
        return seconds

    def new_session(self, listener: str = "mx") -> Wire:
        """Return a connection that has said EHLO."""
        wire = Wire(self.product, listener)
        wire.hello()
        return wire

    def offered(self, listener: str) -> bytes:
        """Return what a new session is offered."""
        with Wire(self.product, listener) as wire:
            return wire.hello()


def processes(product: Product) -> dict[str, list[int]]:
    """Return who runs."""
    return {role: product.pids(role) for role in ("supervisor", "worker", "runner")}


@pytest.fixture(scope="module")
def far_side() -> Iterator[Smarthost]:
    """Where mail for elsewhere goes; it is counted and forgotten."""
    with Smarthost(tls="none", keep=False) as server:
        yield server


@pytest.fixture(scope="module")
def place(product_template: Template, far_side: Smarthost) -> Iterator[Place]:
    """Start it, and sign in."""
    product = product_template.copy()
    try:
        product.choose_ports()
        product.route_to(far_side)
        panel = product.up("--workers", str(WORKERS))
        assert panel.sign_in(cast.ADMINISTRATOR).status == 200
        wait_until(lambda: len(product.pids("worker")) == WORKERS, "both workers")
        yield Place(product, panel, processes(product))
    finally:
        product.remove()


def greets(port: int) -> bool:
    """Say whether a mail server answers at `port` and says its name."""
    with suppress(OSError), closing(socket.create_connection(("127.0.0.1", port), timeout=2)) as connection:
        return connection.recv(4) == b"220 "
    return False


def refuses(port: int) -> bool:
    """Say whether nobody listens at `port`."""
    with suppress(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=2).close()
        return False
    return True


def moved(old: int, new: int) -> bool:
    """Say whether a listener has gone from one port to another."""
    return greets(new) and refuses(old)


def served(port: int) -> bytes:
    """Return the certificate that `port` shows, which begins with TLS."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    plain = socket.create_connection(("127.0.0.1", port), timeout=5)
    with closing(plain), context.wrap_socket(plain) as encrypted:
        return encrypted.getpeercert(binary_form=True) or b""


@pytest.mark.parametrize("by", ["browser", "command"])
def test_a_listener_moves_to_another_port(place: Place, by: str) -> None:
    old, new = place.product.ports["mx"], free_port()
    with place.new_session() as open_session:
        if by == "browser":
            page = place.change("/settings/listeners/mx/", having="port", port=str(new))
            assert "In force on" in page.text
        else:
            place.product.command("listener", "set", "mx", "--port", str(new))
        place.in_force(partial(moved, old, new))
        assert open_session.say("NOOP").startswith(b"250")
    place.product.ports["mx"] = new


def test_a_listener_is_turned_off_and_on(place: Place) -> None:
    port = place.product.ports["mx"]
    place.change("/settings/listeners/", "/mx/off/")
    place.in_force(lambda: refuses(port))
    place.change("/settings/listeners/", "/mx/on/")
    place.in_force(lambda: greets(port))


def test_a_new_certificate_is_shown_to_who_connects_from_now_on(place: Place) -> None:
    port = place.product.ports["submissions"]
    before = place.product.certificate
    assert served(port) == ssl.PEM_cert_to_DER_cert(before)
    with signed_in(place.product, listener="submissions") as open_session:
        place.change("/settings/certificate/", "/rotate/")
        after = place.product.certificate
        assert after != before
        place.in_force(lambda: served(port) == ssl.PEM_cert_to_DER_cert(after))
        assert open_session.say("NOOP").startswith(b"250")


@pytest.mark.parametrize("by", ["browser", "command"])
def test_a_domain_becomes_ours_and_foreign_again(place: Place, by: str) -> None:
    name = f"{by}.example"

    def is_ours() -> bool:
        with place.new_session() as wire:
            wire.say(f"MAIL FROM:<{cast.STRANGER.address}>")
            reply = wire.say(f"RCPT TO:<nobody@{name}>")
        assert reply.startswith(b"550 5."), reply
        return reply.startswith(b"550 5.1.1 ")

    assert not is_ours()
    if by == "browser":
        place.change("/settings/domains/", having="name", name=name)
    else:
        place.product.command("domain", "add", name)
    place.in_force(is_ours)
    if by == "browser":
        place.change("/settings/domains/", f"/{name}/remove/")
    else:
        place.product.command("domain", "remove", name)
    place.in_force(lambda: not is_ours())


def test_a_forbidden_mechanism_is_not_offered_any_more_and_cannot_be_begun_by_open_sessions(place: Place) -> None:
    def offered() -> bytes:
        return place.offered("submissions")

    assert b"AUTH PLAIN LOGIN" in offered()
    with place.new_session("submissions") as open_session:
        place.product.command("shell", "-v0", "-c", MECHANISM.format("LOGIN", "False"))
        place.in_force(lambda: b"AUTH PLAIN\n" in offered())
        assert open_session.say("AUTH LOGIN").startswith(b"504 5.5.4 ")
        assert open_session.sign_in(cast.BECKY).startswith(b"235")
    place.product.command("shell", "-v0", "-c", MECHANISM.format("LOGIN", "True"))
    place.in_force(lambda: b"AUTH PLAIN LOGIN" in offered())


def test_a_closed_way_out_holds_for_sessions_that_are_open(place: Place, far_side: Smarthost) -> None:
    with signed_in(place.product) as wire:

        def has_a_way() -> bool:
            wire.say("RSET")
            assert wire.say(f"MAIL FROM:<{cast.BECKY.address}>").startswith(b"250")
            return wire.say(f"RCPT TO:<friend@{cast.ELSEWHERE}>").startswith(b"250")

        assert has_a_way()
        place.product.command("route", "set", "*", "--none")
        place.in_force(lambda: not has_a_way())
        place.product.route_to(far_side)
        place.in_force(has_a_way)


def test_limits_and_name_of_the_server_are_told_to_who_connects_from_now_on(place: Place) -> None:
    before = place.panel.get("/settings/").form(having="hostname").fields
    changes = {"hostname": "other.example.org", "recipient_limit": "777"}
    place.change("/settings/", having="hostname", **changes)

    def told() -> bool:
        offered = place.offered("mx")
        return offered.startswith(b"250-other.example.org\n") and b"RCPTMAX=777" in offered

    place.in_force(told)
    place.change("/settings/", having="hostname", **{name: before[name] for name in changes})
    place.in_force(lambda: not told())


def test_changes_are_in_force_as_soon_while_large_messages_pour_in(place: Place, shown: Callable[[str], None]) -> None:
    times = []
    with pouring_in(place.product, cast.OUTLOOK) as flood:
        for _ in range(5):
            old, new = place.product.ports["mx"], free_port()
            place.change("/settings/listeners/mx/", having="port", port=str(new))
            times.append(place.in_force(partial(moved, old, new)))
            place.product.ports["mx"] = new
            time.sleep(1.0)
    before = place.times[: -len(times)]
    shown(
        f"{len(before)} changes of policy: longest {max(before, default=0):.3f} s\n"
        f"{len(times)} changes of a port while {flood.megabytes} MB poured in: longest {max(times):.3f} s"
    )
    assert flood.messages >= 2
    assert flood.refused == []
