"""RCPT in a domain whose mailboxes an LMTP server keeps: that server is asked, over real sockets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests import cast
from tests.delivery.scripted import Manners, ScriptedServer, server
from tests.ground.daemon import Product, Template
from tests.ground.ports import free_port
from tests.ground.wire import Wire, signed_in

KEPT, AWAY, BUSY = "kept.example", "away.example", "busy.example"
OWN = "keiko@away.example"


@dataclass(slots=True)
class Place:
    """A running product and the servers behind it."""

    product: Product
    keeper: ScriptedServer

    def transaction(self, listener: str) -> Wire:
        """Return a connection on which a message has begun."""
        wire = signed_in(self.product) if listener == "submission" else Wire(self.product, listener)
        if listener == "mx":
            wire.hello()
        sender = cast.BECKY if listener == "submission" else cast.STRANGER
        assert wire.say(f"MAIL FROM:<{sender.address}>").startswith(b"250")
        return wire


@pytest.fixture(scope="module")
def place(product_template: Template) -> Iterator[Place]:
    """Three domains: kept by a server that knows hanako, by one that is away, by one that says 4xx."""
    product = product_template.copy()
    manners = Manners(
        lmtp=True, replies={"RCPT": b"550 5.1.1 nobody\r\n", f"RCPT TO:<HANAKO@{KEPT.upper()}>": b"250 ok\r\n"}
    )
    busy = Manners(lmtp=True, replies={"RCPT": b"451 4.3.0 later\r\n"})
    try:
        with server(manners) as keeper, server(busy) as later:
            for domain, port in ((KEPT, keeper.port), (AWAY, free_port()), (BUSY, later.port)):
                product.command("domain", "add", domain, "--lmtp", f"127.0.0.1:{port}")
            product.command(
                "account", "add", OWN, "--name", "Keiko", "--password-file", "-", stdin="sumire-hashi-ame-9921"
            )
            product.command("queue", "pause")
            product.start()
            yield Place(product, keeper)
    finally:
        product.remove()


@pytest.mark.parametrize("listener", ["mx", "submission"])
def test_a_recipient_that_the_server_does_not_know_is_refused_and_the_others_are_taken(
    place: Place, listener: str
) -> None:
    with place.transaction(listener) as wire:
        assert wire.say(f"RCPT TO:<nobody@{KEPT}>").startswith(b"550 5.1.1 ")
        assert wire.say(f"RCPT TO:<hanako@{KEPT}>").startswith(b"250 2.1.5 ")
        assert wire.say("DATA").startswith(b"354")


def test_with_nobody_left_there_is_no_message_to_bounce(place: Place) -> None:
    with place.transaction("mx") as wire:
        assert wire.say(f"RCPT TO:<nobody@{KEPT}>").startswith(b"550 5.1.1 ")
        assert wire.say("DATA").startswith((b"503", b"554"))


@pytest.mark.parametrize("domain", [AWAY, BUSY])
def test_while_the_server_cannot_say_mx_puts_off_and_submission_takes(place: Place, domain: str) -> None:
    with place.transaction("mx") as wire:
        assert wire.say(f"RCPT TO:<hanako@{domain}>").startswith(b"450 4.4.1 ")
    with place.transaction("submission") as wire:
        assert wire.say(f"RCPT TO:<hanako@{domain}>").startswith(b"250 2.1.5 ")


def test_who_has_an_account_here_is_not_asked_about(place: Place) -> None:
    with place.transaction("mx") as wire:
        assert wire.say(f"RCPT TO:<{OWN}>").startswith(b"250 2.1.5 ")
        assert wire.say(f"RCPT TO:<{OWN.replace('@', '+tag@')}>").startswith(b"450 4.4.1 ")


@pytest.mark.sqlite_only  # one worker; on PostgreSQL each of several has a memory of its own
def test_sessions_share_what_was_answered(place: Place) -> None:
    for _ in range(3):
        with place.transaction("mx") as wire:
            assert wire.say(f"RCPT TO:<shared@{KEPT}>").startswith(b"550 5.1.1 ")
    asked = [talk for talk in place.keeper.talks if f"RCPT TO:<shared@{KEPT}>" in talk.commands]
    assert len(asked) == 1


def test_commands_in_one_burst_are_answered_in_their_order(place: Place) -> None:
    with place.transaction("mx") as wire:
        wire.send(f"RCPT TO:<burst@{KEPT}>\r\nRCPT TO:<hanako@{KEPT}>\r\nRCPT TO:<x@{AWAY}>\r\nRSET\r\n".encode())
        assert [wire.reply()[:3] for _ in range(4)] == [b"550", b"250", b"450", b"250"]
