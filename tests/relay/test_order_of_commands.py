"""No order of commands relays: many recipients, many transactions, everything at once, or signing in too late."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Final

import pytest

from tests import cast
from tests.ground.daemon import LISTENERS, wait_until
from tests.ground.wire import ConnectionEndedError, Wire, signed_in
from tests.relay.conftest import Place
from tests.relay.forms import FAR, FOR_GOOD, LOCAL, RECIPIENTS, attempt, mail_from, message

MAIL: Final = f"MAIL FROM:<{cast.BECKY.address}>"
OTHER: Final = f"MAIL FROM:<{cast.STRANGER.address}>"
VICTIM: Final = f"RCPT TO:<victim@{FAR}>"
NEIGHBOR: Final = f"RCPT TO:<{LOCAL}>"
Enter = Callable[[Place], Wire]


def _mx(place: Place) -> Wire:
    wire = Wire(place.product, "mx")
    wire.hello()
    return wire


def _clear(place: Place) -> Wire:
    wire = Wire(place.product, "submission")
    wire.hello()
    return wire


def _encrypted(place: Place) -> Wire:
    wire = _clear(place)
    wire.starttls()
    return wire


def _implicit(place: Place) -> Wire:
    wire = Wire(place.product, "submissions")
    wire.hello()
    return wire


ENTRIES: Final = {"mx": _mx, "submission, clear": _clear, "submission, TLS": _encrypted, "submissions": _implicit}
SUBMISSION: Final = {name: enter for name, enter in ENTRIES.items() if name not in {"mx", "submission, clear"}}


@pytest.fixture(autouse=True)
def _nobody_elsewhere_is_written_to(place: Place) -> Iterator[None]:
    yield
    assert [address for address in place.recipients() if not address.endswith(f"@{cast.DOMAIN}")] == []
    assert place.far_side.messages == []


def _listen(wire: Wire) -> list[bytes]:
    """Return all replies until the server closes or has nothing more to say."""
    said = []
    wire.socket.settimeout(1.0)
    with suppress(ConnectionEndedError, TimeoutError):
        while True:
            said.append(wire.reply())
    return said


@pytest.mark.parametrize("enter", ENTRIES.values(), ids=ENTRIES)
@pytest.mark.parametrize("greeting", ["EHLO client.test\r\n", ""], ids=["greeted", "nameless"])
def test_everything_in_one_write_relays_nothing(place: Place, enter: Enter, greeting: str) -> None:
    with enter(place) as wire:
        commands = f"{greeting}{MAIL}\r\n{VICTIM}\r\nDATA\r\n".encode()
        wire.send(commands + message() + b".\r\nQUIT\r\n")
        said = _listen(wire)
    assert not [reply for reply in said if reply.startswith((b"354", b"250 2.0.0"))], said
    assert any(FOR_GOOD.match(reply) for reply in said), said


@pytest.mark.parametrize("enter", ENTRIES.values(), ids=ENTRIES)
@pytest.mark.parametrize("last", [" LAST", ""], ids=["the last", "one of several"])
def test_a_chunk_in_place_of_data_relays_nothing(place: Place, enter: Enter, last: str) -> None:
    with enter(place) as wire:
        body = message()
        wire.say(MAIL)
        assert FOR_GOOD.match(wire.say(VICTIM))
        wire.send(f"BDAT {len(body)}{last}\r\n".encode() + body)
        assert FOR_GOOD.match(wire.reply())
        assert wire.say("RSET").startswith(b"250")  # the octets of the chunk were not taken for commands


@pytest.mark.parametrize("listener", LISTENERS)
def test_without_a_greeting_nothing_begins(place: Place, listener: str) -> None:
    with Wire(place.product, listener) as wire:
        assert attempt(wire, MAIL, f"<victim@{FAR}>").refused_for_good


@pytest.mark.parametrize("recipient", RECIPIENTS, ids=repr)
def test_beside_a_neighbor_the_others_are_still_refused(place: Place, recipient: str) -> None:
    before = place.recipients()
    with _mx(place) as wire:
        assert wire.say(mail_from(f"<{cast.STRANGER.address}>", recipient)).startswith(b"250")
        assert wire.say(NEIGHBOR).startswith(b"250")
        assert FOR_GOOD.match(wire.say(f"RCPT TO:{recipient}"))
        assert wire.say("DATA").startswith(b"354")
        wire.send(message() + b".\r\n")
        assert wire.reply().startswith(b"250")
    assert place.recipients() == [*before, LOCAL]


def test_after_a_message_to_a_neighbor_the_next_one_is_judged_anew(place: Place) -> None:
    with _mx(place) as wire:
        for _ in range(3):
            assert wire.message(cast.STRANGER.address, LOCAL, message()).startswith(b"250")
            assert attempt(wire, OTHER, f"<victim@{FAR}>").refused_for_good
            wire.say("RSET")


def test_a_neighbor_given_up_by_rset_or_a_new_greeting_opens_nothing(place: Place) -> None:
    with _mx(place) as wire:
        for given_up_by in ("RSET", "EHLO again.test", "HELO again.test"):
            assert wire.say(OTHER).startswith(b"250")
            assert wire.say(NEIGHBOR).startswith(b"250")
            assert wire.say(given_up_by).startswith(b"250")
            assert FOR_GOOD.match(wire.say("DATA"))
            assert attempt(wire, OTHER, f"<victim@{FAR}>").refused_for_good
            wire.say("RSET")


def test_a_neighbor_named_in_the_clear_is_forgotten_under_tls(place: Place) -> None:
    with _mx(place) as wire:
        assert wire.say(OTHER).startswith(b"250")
        assert wire.say(NEIGHBOR).startswith(b"250")
        wire.starttls()
        assert FOR_GOOD.match(wire.say("DATA"))


@pytest.mark.parametrize("enter", SUBMISSION.values(), ids=SUBMISSION)
def test_recipients_named_before_signing_in_are_not_kept(place: Place, enter: Enter) -> None:
    with enter(place) as wire:
        assert FOR_GOOD.match(wire.say(MAIL))
        assert FOR_GOOD.match(wire.say(VICTIM))
        assert wire.sign_in(cast.BECKY).startswith(b"235")
        assert wire.say("DATA").startswith(b"503")


def test_mail_for_a_neighbor_needs_signing_in_at_submission(place: Place) -> None:
    with _encrypted(place) as wire:
        assert attempt(wire, MAIL, f"<{LOCAL}>").refused_for_good


def test_one_connections_sign_in_is_not_anothers(place: Place) -> None:
    with signed_in(place.product), _encrypted(place) as wire:
        assert attempt(wire, MAIL, f"<victim@{FAR}>").refused_for_good


def test_neighbors_got_their_mail(place: Place) -> None:
    wait_until(lambda: len(place.product.mailbox(cast.OUTLOOK)) == len(place.recipients()), "the mail for neighbors")
