"""Nothing relays without authentication: every way in, sender and recipient form of the classic lists, and more.

Each case is one transaction, brought as far as the server lets it go. None may come through, and at the end neither the
queue nor the smarthost may have seen anything.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import pytest

from tests import cast
from tests.ground.daemon import Product, Template, wait_until
from tests.ground.smarthost import Smarthost
from tests.ground.wire import ConnectionEndedError, Wire, plain, signed_in

FAR: Final = cast.ELSEWHERE
HERE: Final = cast.DOMAIN
MESSAGE: Final = f"From: {cast.BECKY.address}\r\nSubject: relay\r\n\r\nrelay\r\n".encode()

SENDERS: Final = (
    "<>",
    f"<{cast.STRANGER.address}>",
    f"<{cast.BECKY.address}>",
    f"<postmaster@{HERE}>",
    f"<spam@mail.{HERE}>",
    "<spam@[127.0.0.1]>",
    "<spam>",
    "<spam@localhost>",
)
RECIPIENTS: Final = (
    f"<victim@{FAR}>",
    f"victim@{FAR}",
    f"<VICTIM@{FAR.upper()}>",
    f"<victim@{FAR}.>",
    f"<victim%{FAR}@[127.0.0.1]>",
    f"<victim%{FAR}@{HERE}>",
    f'<"victim@{FAR}">',
    f'<"victim%{FAR}">',
    f"<victim@{FAR}@[127.0.0.1]>",
    f'<"victim@{FAR}"@[127.0.0.1]>',
    f'<"victim@{FAR}"@{HERE}>',
    f"<victim@{FAR}@{HERE}>",
    f"<@[127.0.0.1]:victim@{FAR}>",
    f"<@{HERE}:victim@{FAR}>",
    f"<@{HERE},@mail.{HERE}:victim@{FAR}>",
    f"<{FAR}!victim>",
    f"<{FAR}!victim@[127.0.0.1]>",
    f"<{FAR}!victim@{HERE}>",
    f"<victim@{FAR},{cast.BECKY.address}>",
    f"<victim@{FAR}> <{cast.BECKY.address}>",
    f"<victim@{FAR}(comment)@{HERE}>",
    f"<victim@exa\tmple.net>",  # noqa: F541  # stands among the others
    "<victim@[192.0.2.1]>",
    "<victim@[IPv6:2001:db8::1]>",
    f"<\u5229\u7528\u8005@{FAR}>",
    "<victim@\u4f8b\u3048.jp>",
    f"<victim@{FAR}\0@{HERE}>",
    f"<{cast.BECKY.address.partition('@')[0]}@sub.{HERE}>",
)


@dataclass(frozen=True, slots=True)
class Entry:
    """A way in: a listener, whether under TLS, and what is done instead of signing in."""

    listener: str
    tls: bool
    instead: str

    def __str__(self) -> str:
        return f"{self.listener}, {'TLS' if self.tls else 'clear'}, {self.instead}"


def _nothing(_wire: Wire) -> None:
    """Say nothing."""


def _auth(user: str, password: str) -> Callable[[Wire], None]:
    def attempt(wire: Wire) -> None:
        reply = wire.say(f"AUTH PLAIN {plain(user, password)}")
        assert not reply.startswith(b"235"), reply

    return attempt


def _give_up(wire: Wire) -> None:
    if wire.say("AUTH PLAIN").startswith(b"334"):
        assert wire.say("*").startswith(b"501")


def _pretend(wire: Wire) -> None:
    """Claim by commands and names of other servers to be somebody trusted."""
    for command in ("XCLIENT ADDR=127.0.0.1 LOGIN=hanako@example.org", "XFORWARD ADDR=127.0.0.1", "EHLO localhost"):
        wire.say(command)


RIGHT: Final = "the right password"
INSTEAD: Final[dict[str, Callable[[Wire], None]]] = {
    "nothing": _nothing,
    "a claim": _pretend,
    "MAIL AUTH=": _nothing,
    RIGHT: _auth(cast.BECKY.address, cast.BECKY.password),
    "a wrong password": _auth(cast.BECKY.address, "wrong"),
    "an unknown user": _auth(cast.STRANGER.address, cast.STRANGER.password),
    "a suspended account": _auth(cast.SUSPENDED.address, cast.SUSPENDED.password),
    "empty words": _auth("", ""),
    "giving up": _give_up,
}
# What takes a password check costs a quarter of a second each time.
SLOW: Final = ("a wrong password", "an unknown user", "a suspended account")
QUICK: Final = ("nothing", "a claim", "MAIL AUTH=", "empty words", "giving up")
ENTRIES: Final = (
    *(
        Entry("mx", tls, instead)
        for tls in (False, True)
        for instead in ("nothing", "MAIL AUTH=", "the right password")
    ),
    *(Entry("submission", False, instead) for instead in ("nothing", "a claim", "MAIL AUTH=", RIGHT)),
    *(Entry(listener, True, instead) for listener in ("submission", "submissions") for instead in (*QUICK, *SLOW)),
)


@dataclass(frozen=True, slots=True)
class Place:
    """A product that would relay, and the far side that it would relay to."""

    product: Product
    far_side: Smarthost


@pytest.fixture(scope="module")
def place(product_template: Template) -> Iterator[Place]:
    """Start both."""
    product = product_template.copy()
    try:
        with Smarthost(tls="none") as far_side:
            product.route_to(far_side)
            product.start()
            yield Place(product, far_side)
    finally:
        product.remove()


def _enter(product: Product, entry: Entry) -> Wire:
    wire = Wire(product, entry.listener)
    wire.hello()
    if entry.tls and entry.listener != "submissions":
        wire.starttls()
    INSTEAD[entry.instead](wire)
    return wire


def _came_through(wire: Wire, mail: str, recipient: str) -> bool:
    """Bring a transaction as far as it goes; say whether it got a 250 at its end."""
    wire.say("RSET")
    wire.say(mail)
    taken = wire.say(f"RCPT TO:{recipient}")
    if taken.startswith(b"25"):
        return True
    if wire.say("DATA").startswith(b"354"):
        wire.send(MESSAGE + b".\r\n")
        return wire.reply().startswith(b"25")
    return False


def _cases(entry: Entry) -> Iterator[tuple[str, str]]:
    senders = SENDERS[1:3] if entry.instead in SLOW else SENDERS
    parameter = f" AUTH={cast.BECKY.address}" if entry.instead == "MAIL AUTH=" else ""
    for sender in senders:
        for recipient in RECIPIENTS:
            utf8 = "" if recipient.isascii() else " SMTPUTF8"
            yield f"MAIL FROM:{sender}{parameter}{utf8}", recipient


@pytest.fixture(scope="module")
def tried() -> Counter[str]:
    """How many cases were tried, by the way in."""
    return Counter()


@pytest.mark.parametrize("entry", ENTRIES, ids=str)
def test_no_form_of_addresses_relays(place: Place, entry: Entry, tried: Counter[str]) -> None:
    wire: Wire | None = None
    through = []
    for mail, recipient in _cases(entry):
        for _ in range(2):  # a server that has had enough errors says 421: the case begins anew
            wire = wire or _enter(place.product, entry)
            try:
                if _came_through(wire, mail, recipient):
                    through.append((mail, recipient))
                break
            except ConnectionEndedError:
                wire.close()
                wire = None
        tried[str(entry)] += 1
    if wire is not None:
        wire.close()
    assert through == []


@pytest.mark.parametrize("sender", [sender for sender in SENDERS[1:] if cast.BECKY.address not in sender])
@pytest.mark.parametrize("listener", ["submission", "submissions"])
def test_who_is_signed_in_cannot_send_as_somebody_else(place: Place, listener: str, sender: str) -> None:
    with signed_in(place.product, listener=listener) as wire:
        assert not _came_through(wire, f"MAIL FROM:{sender}", f"<victim@{FAR}>")


def test_the_null_sender_does_not_hide_somebody_else_in_the_header(place: Place) -> None:
    with signed_in(place.product) as wire:
        reply = wire.message("", f"victim@{FAR}", MESSAGE.replace(b"ichiro@", b"hanako@"))
        assert reply.startswith(b"553 5.7.1"), reply


def test_recipients_named_before_signing_in_are_not_kept(place: Place) -> None:
    with Wire(place.product, "submissions") as wire:
        wire.hello()
        wire.say(f"MAIL FROM:<{cast.BECKY.address}>")
        wire.say(f"RCPT TO:<victim@{FAR}>")
        assert wire.sign_in(cast.BECKY).startswith(b"235")
        assert wire.say("DATA").startswith(b"503")


def test_after_all_that_nothing_is_in_the_queue_or_has_left(
    place: Place, tried: Counter[str], shown: Callable[[str], None]
) -> None:
    lines = [f"{number:6} {entry}" for entry, number in tried.items()]
    shown("\n".join([f"{tried.total()} attempts to relay, none of which came through:", *lines]))
    assert place.product.database.value("SELECT count(*) FROM queue_message") == 0
    assert place.far_side.messages == []
    assert tried.total() == 0 or tried.total() >= 500


def test_who_is_signed_in_relays(place: Place) -> None:
    with signed_in(place.product) as wire:
        assert _came_through(wire, f"MAIL FROM:<{cast.BECKY.address}>", f"<victim@{FAR}>")
        assert wire.say("DATA").startswith(b"354")
        wire.send(MESSAGE + b".\r\n")
        assert wire.reply().startswith(b"250")
    wait_until(lambda: place.far_side.messages, "the message at the smarthost")
