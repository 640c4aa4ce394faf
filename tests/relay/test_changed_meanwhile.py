"""A session outlives the right it began with: once the account is changed, its next MAIL is refused, in every form.

For each form of a recipient there is a session of its own on either port, signed in while all was well, that has or has
not sent a message already. Then the account is changed, and each session tries.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import pytest

from tests import cast
from tests.ground.daemon import Product, wait_until
from tests.ground.wire import Wire, signed_in
from tests.relay.conftest import Place
from tests.relay.forms import FAR, LOCAL, RECIPIENTS, attempt, mail_from, message


@dataclass(frozen=True, slots=True)
class Change:
    """What happens to an account, and what its open sessions hear."""

    person: cast.Person
    command: tuple[str, ...]
    heard: bytes
    stdin: str = ""
    alias: str = ""  # an address of theirs to send from, in place of their own

    @property
    def sender(self) -> str:
        """From which address they send."""
        return self.alias or self.person.address

    def add(self, product: Product) -> None:
        """Add the account, as it was before."""
        flags = ["--sender", self.alias] if self.alias else []
        arguments = ("account", "add", self.person.address, "--password-file", "-", *flags)
        product.command(*arguments, stdin=self.person.password)

    def apply(self, product: Product) -> None:
        """Do it."""
        action, *flags = self.command
        product.command("account", action, self.person.address, *flags, stdin=self.stdin)


def _person(name: str) -> cast.Person:
    return cast.Person(name, f"{name}@{cast.DOMAIN}", f"{name}-persimmon-lantern-77")


_ALIASES: Final = (f"shop@{cast.DOMAIN}", f"club@{cast.DOMAIN}")
CHANGES: Final = {
    "suspended": Change(_person("sora"), ("suspend",), b"525 5.7.13 "),
    "password changed": Change(_person("pema"), ("password", "--password-file", "-"), b"530 5.7.0 ", "fresh-words-771"),
    "removed": Change(_person("rin"), ("remove",), b"530 5.7.0 "),
    "sender taken": Change(_person("theo"), ("edit", "--sender", _ALIASES[1]), b"553 5.7.1 ", alias=_ALIASES[0]),
}
LISTENERS: Final = ("submission", "submissions")


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_open_sessions_relay_nothing_any_more(place: Place, change: Change, shown: Callable[[str], None]) -> None:
    product, person = place.product, change.person
    change.add(product)
    sessions = [(signed_in(product, person, listener), form) for listener in LISTENERS for form in RECIPIENTS]
    for wire, _ in sessions[::4]:
        assert wire.message(change.sender, LOCAL, message(change.sender)).startswith(b"250")
    wait_until(lambda: product.database.states().keys() <= {"delivered"}, "those are delivered")
    before = place.queued()
    change.apply(product)
    for wire, form in sessions:
        mail = mail_from(f"<{change.sender}>", form)
        outcome = attempt(wire, mail, form, message(change.sender))
        assert outcome.mail.startswith(change.heard), (mail, outcome)
        assert outcome.refused_for_good, (mail, outcome)
        wire.close()
    if not change.alias:
        with Wire(product, "submissions") as wire:
            wire.hello()
            assert wire.sign_in(person).startswith(b"535"), "what opened those sessions opens no new one"
    assert place.queued() == before
    assert place.far_side.messages == []
    shown(f"{len(sessions)} sessions that were open, none of which relays")


def test_a_message_under_way_while_its_account_is_suspended_stays_here(place: Place) -> None:
    product, person = place.product, _person("midori")
    product.command("account", "add", person.address, "--password-file", "-", stdin=person.password)
    with signed_in(product, person) as wire:
        for command in (f"MAIL FROM:<{person.address}>", f"RCPT TO:<victim@{FAR}>", "DATA"):
            assert wire.say(command)[:1] in b"23"
        product.command("account", "suspend", person.address)
        wire.send(message(person.address) + b".\r\n")
        assert wire.reply().startswith(b"250")  # it was promised at MAIL
        assert wire.say(f"MAIL FROM:<{person.address}>").startswith(b"525 5.7.13 ")
    wait_until(lambda: product.database.states().get("held") == 1, "the message is held")
    assert place.far_side.messages == []
    product.command("account", "resume", person.address)
    wait_until(lambda: len(place.far_side.messages) == 1, "it leaves when the account may send again")
