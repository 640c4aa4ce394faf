"""Nothing relays without authentication: every way in, sender and recipient form of the classic lists, and more.

Each case is one transaction, brought as far as the server lets it go. None may come through, each must be refused for
good, and at the end neither the queue nor the smarthost may have seen anything.
"""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import pytest

from tests import cast
from tests.ground.daemon import HOSTNAME, Product, wait_until
from tests.ground.wire import ConnectionEndedError, Wire, plain, signed_in
from tests.relay.conftest import Place
from tests.relay.forms import FAR, FOR_GOOD, RECIPIENTS, SENDERS, Outcome, attempt, mail_from, message


@dataclass(frozen=True, slots=True)
class Entry:
    """A way in: a listener, whether under TLS, and what is done instead of signing in."""

    listener: str
    tls: bool
    instead: str

    def __str__(self) -> str:
        return f"{self.listener}, {'TLS' if self.tls else 'clear'}, {self.instead}"


def _refused(wire: Wire, *commands: str) -> None:
    """Say `commands`, none of which may have a place here."""
    for command in commands:
        reply = wire.say(command)
        assert FOR_GOOD.match(reply), f"{command}: {reply!r}"


def _nothing(_wire: Wire) -> None:
    """Say nothing."""


def _auth(user: str, password: str) -> Callable[[Wire], None]:
    return lambda wire: _refused(wire, f"AUTH PLAIN {plain(user, password)}")


def _login(wire: Wire) -> None:
    """Go through LOGIN with nothing in it."""
    if wire.say("AUTH LOGIN").startswith(b"334"):
        wire.say("=")
        _refused(wire, "=")


def _give_up(wire: Wire) -> None:
    if wire.say("AUTH PLAIN").startswith(b"334"):
        _refused(wire, "*")


def _claim(wire: Wire) -> None:
    """Claim by commands of other servers to be somebody trusted."""
    _refused(wire, "XCLIENT ADDR=127.0.0.1 LOGIN=hanako@example.org", "XFORWARD ADDR=127.0.0.1 NAME=localhost")


def _other_mechanisms(wire: Wire) -> None:
    """Ask for mechanisms that prove nothing, or another way."""
    word = base64.b64encode(cast.BECKY.address.encode()).decode()
    _refused(wire, f"AUTH EXTERNAL {word}", f"AUTH ANONYMOUS {word}", "AUTH CRAM-MD5", "AUTH")


def _greeting(command: str) -> Callable[[Wire], None]:
    def greet(wire: Wire) -> None:
        assert wire.say(command).startswith(b"250")

    return greet


RIGHT: Final = "the right password"
INSTEAD: Final[dict[str, Callable[[Wire], None]]] = {
    "nothing": _nothing,
    "MAIL AUTH=": _nothing,
    "a claim": _claim,
    "HELO localhost": _greeting("HELO localhost"),
    "our own name": _greeting(f"EHLO {HOSTNAME}"),
    "an address literal": _greeting("EHLO [127.0.0.1]"),
    "other mechanisms": _other_mechanisms,
    "empty words": _auth("", ""),
    "an empty LOGIN": _login,
    "giving up": _give_up,
    RIGHT: _auth(cast.BECKY.address, cast.BECKY.password),
    "no password": _auth(cast.BECKY.address, ""),
    "a wrong password": _auth(cast.BECKY.address, "wrong"),
    "an unknown user": _auth(cast.STRANGER.address, cast.STRANGER.password),
    "a suspended account": _auth(cast.SUSPENDED.address, cast.SUSPENDED.password),
}
# What takes a password check costs a quarter of a second each time.
SLOW: Final = ("a wrong password", "an unknown user", "a suspended account")
QUICK: Final = tuple(name for name in INSTEAD if name not in (*SLOW, RIGHT))
# With every sender; the rest with those who would have most to gain.
IN_FULL: Final = ("nothing", RIGHT)
ENTRIES: Final = (
    *(Entry("mx", tls, instead) for tls in (False, True) for instead in (*QUICK, RIGHT)),
    *(Entry("submission", False, instead) for instead in (*QUICK, RIGHT)),
    *(Entry(listener, True, instead) for listener in ("submission", "submissions") for instead in (*QUICK, *SLOW)),
)


def _enter(product: Product, entry: Entry) -> Wire:
    wire = Wire(product, entry.listener)
    wire.hello()
    if entry.tls and entry.listener != "submissions":
        wire.starttls()
    INSTEAD[entry.instead](wire)
    return wire


def _cases(entry: Entry) -> Iterator[tuple[str, str]]:
    parameter = f" AUTH={cast.BECKY.address}" if entry.instead == "MAIL AUTH=" else ""
    for sender in SENDERS if entry.instead in IN_FULL else SENDERS[1:3]:
        for recipient in RECIPIENTS:
            yield mail_from(sender, recipient) + parameter, recipient


class Client:
    """Tries one case after another; a server that has had enough errors says 421, and the case begins anew."""

    def __init__(self, product: Product, entry: Entry) -> None:
        self._product = product
        self._entry = entry
        self._wire: Wire | None = None

    def attempt(self, mail: str, recipient: str) -> Outcome:
        """Try one case, on the connection before where that lives."""
        for _ in range(2):
            if self._wire is None:
                self._wire = _enter(self._product, self._entry)
            try:
                outcome = attempt(self._wire, mail, recipient)
            except ConnectionEndedError:
                self.close()
                continue
            if b"421 " not in (outcome.mail[:4], outcome.recipient[:4], outcome.data[:4]):
                return outcome
            self.close()
        raise AssertionError(f"a new connection does not live for one case: {mail} {recipient}")

    def close(self) -> None:
        """Hang up."""
        if self._wire is not None:
            self._wire.close()
            self._wire = None


@pytest.fixture(scope="module")
def tried() -> Counter[str]:
    """How many cases were tried, by the way in."""
    return Counter()


@pytest.mark.parametrize("entry", ENTRIES, ids=str)
def test_no_form_of_addresses_relays(place: Place, entry: Entry, tried: Counter[str]) -> None:
    client = Client(place.product, entry)
    wrong = []
    for mail, recipient in _cases(entry):
        outcome = client.attempt(mail, recipient)
        tried[str(entry)] += 1
        if outcome.came_through or not outcome.refused_for_good:
            wrong.append((mail, recipient, outcome))
        if entry.listener != "mx" and not FOR_GOOD.match(outcome.mail):
            wrong.append((mail, recipient, outcome))
    client.close()
    assert wrong == []


@pytest.mark.parametrize("sender", [sender for sender in SENDERS[1:] if f"<{cast.BECKY.address}>" != sender])
@pytest.mark.parametrize("listener", ["submission", "submissions"])
def test_who_is_signed_in_cannot_send_as_somebody_else(place: Place, listener: str, sender: str) -> None:
    with signed_in(place.product, listener=listener) as wire:
        outcome = attempt(wire, f"MAIL FROM:{sender}", f"<victim@{FAR}>")
        assert FOR_GOOD.match(outcome.mail), outcome
        assert outcome.refused_for_good, outcome


def test_the_null_sender_does_not_hide_somebody_else_in_the_header(place: Place) -> None:
    with signed_in(place.product) as wire:
        reply = wire.message("", f"victim@{FAR}", message(cast.ADMINISTRATOR.address))
        assert reply.startswith(b"553 5.7.1"), reply


def test_after_all_that_nothing_is_in_the_queue_or_has_left(
    place: Place, tried: Counter[str], shown: Callable[[str], None]
) -> None:
    lines = [f"{number:6} {entry}" for entry, number in tried.items()]
    shown("\n".join([f"{tried.total()} attempts to relay, none of which came through:", *lines]))
    assert place.queued() == 0
    assert place.far_side.messages == []
    assert tried.total() == 0 or tried.total() >= 500


def test_who_is_signed_in_relays(place: Place) -> None:
    with signed_in(place.product) as wire:
        outcome = attempt(wire, f"MAIL FROM:<{cast.BECKY.address}>", f"<victim@{FAR}>")
        assert outcome.came_through, outcome
    wait_until(lambda: place.far_side.messages, "the message at the smarthost")
