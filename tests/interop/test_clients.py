"""Real clients send real letters through both submission ports; what arrives is what was sent.

Each letter has a recipient in a mailbox here and one behind the smarthost; both copies are compared octet for octet
with what the client was given, header additions aside. At the end of the run stands a table.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

import pytest

from tests import cast
from tests.ground.daemon import Product, Template, wait_until
from tests.ground.smarthost import Smarthost
from tests.interop.clients import CLIENTS, Client, client
from tests.interop.messages import LETTERS, Letter

LISTENERS: Final = ("submission", "submissions")
# Traces, each a whole field with its continuations: what servers may put in front of a message.
TRACES: Final = re.compile(rb"(?:(?:Received|Return-Path|Delivered-To):[^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*)*")
PAIRS: Final = [(name, listener) for listener in LISTENERS for name in CLIENTS]


@dataclass(slots=True)
class Place:
    """A running product, the far side, and what came of each letter."""

    product: Product
    far_side: Smarthost
    table: dict[tuple[str, str, str], str] = field(default_factory=dict)


@pytest.fixture(scope="module")
def place(product_template: Template) -> Iterator[Place]:
    """A product that sends through a smarthost with STARTTLS and a password."""
    product = product_template.copy()
    try:
        with Smarthost(tls="starttls", login=("household", "far-side-secret")) as far_side:
            product.choose_ports()
            product.route_to(far_side)
            product.start()
            yield Place(product, far_side)
    finally:
        product.remove()


@pytest.fixture(scope="module", params=PAIRS, ids=[f"{name}-{listener}" for name, listener in PAIRS])
def sender(
    request: pytest.FixtureRequest, place: Place, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, str, Client]]:
    """Each client, on each port."""
    name, listener = request.param
    with client(name, place.product, listener, tmp_path_factory.mktemp(name)) as made:
        yield name, listener, made


def without_traces(data: bytes) -> bytes:
    """Return `data` without the trace fields in front."""
    match = TRACES.match(data)
    assert match is not None
    return data[match.end() :]


@pytest.mark.parametrize("letter", LETTERS, ids=lambda letter: letter.name)
def test_both_copies_are_what_was_sent(place: Place, sender: tuple[str, str, Client], letter: Letter) -> None:
    name, listener, program = sender
    cell = (name, listener, letter.name)
    if letter.utf8 and not program.knows_utf8:
        place.table[cell] = "no SMTPUTF8"
        return
    place.table[cell] = "FAILED"
    place.far_side.forget()
    before = len(place.product.mailbox(cast.OUTLOOK))
    program.send(letter)
    far = place.far_side.wait_for(1, timeout=20)[0]
    wait_until(lambda: len(place.product.mailbox(cast.OUTLOOK)) > before, "the copy in the mailbox", 20)
    local = place.product.mailbox(cast.OUTLOOK)[before]
    assert (far.sender, far.recipients) == (cast.BECKY.address, (letter.far,))
    assert without_traces(far.data) == letter.data
    assert without_traces(local) == letter.data
    assert b"\r\n" in local
    place.table[cell] = "equal"


def test_the_table_of_clients_and_letters_is_full(place: Place, shown: Callable[[str], None]) -> None:
    head = f"{'':24}" + "".join(f"{letter.name:14}" for letter in LETTERS)
    lines = [head]
    for name, listener in PAIRS:
        cells = [place.table.get((name, listener, letter.name), "-") for letter in LETTERS]
        lines.append(f"{name:10}{listener:14}" + "".join(f"{cell:14}" for cell in cells))
    shown("What clients sent and what arrived, at the smarthost and in the mailbox\n" + "\n".join(lines))
    assert set(place.table.values()) <= {"equal", "no SMTPUTF8"}
