"""What keeps a message from leaving is told on its page, and once that is put right it goes out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import pytest

from tests import cast
from tests.ground.daemon import Product, Template, wait_until
from tests.ground.panel import Panel
from tests.ground.smarthost import Fault, Smarthost
from tests.interop.messages import FAR, PLAIN
from tests.interop.test_clients import without_traces

LOGIN: Final = ("household", "a-password-of-the-provider")
WAITING: Final = "SELECT count(*) FROM queue_recipient WHERE state='waiting' AND attempts=1"


@dataclass(slots=True)
class Place:
    """A product with its panel, and the smarthost that its mail leaves through."""

    product: Product
    panel: Panel
    far_side: Smarthost

    @property
    def name(self) -> str:
        """How a server is called that was tried: its name, and the address that was taken."""
        return f"{self.far_side.host}[{self.far_side.host}]:{self.far_side.port}"

    def send(self) -> str:
        """Send a message for elsewhere and return its queue id, when it was tried and waits."""
        self.far_side.forget()
        with self.product.client("submission", cast.BECKY) as client:
            client.sendmail(cast.BECKY.address, [FAR], PLAIN.data)
        wait_until(lambda: self.product.database.value(WAITING) == 1, "it was tried and waits")
        (message,) = self.product.ask("queue", "list")
        return str(message["id"])

    def wait_for_arrival(self, far_side: Smarthost | None = None) -> None:
        """Return when the message is there, octet for octet, and nothing waits any more."""
        (arrived,) = (far_side or self.far_side).wait_for(1)
        assert without_traces(arrived.data) == PLAIN.data
        wait_until(lambda: self.product.database.states().keys() == {"delivered"}, "it is delivered")


@pytest.fixture(scope="module")
def place(product_template: Template) -> Iterator[Place]:
    """Start both, the administrator signed in."""
    product = product_template.copy()
    try:
        with Smarthost(tls="starttls", login=LOGIN) as far_side:
            product.route_to(far_side)
            panel = product.up()
            assert panel.sign_in(cast.ADMINISTRATOR).status == 200
            yield Place(product, panel, far_side)
    finally:
        product.remove()


# The first one first: connections are kept, and what happens at their beginning happens no more to the next message.
FAULTS: Final = {
    "lies about TLS": (Fault("starttls", "lie"), "The server sent something in clear where TLS begins"),
    "refuses": (Fault("rcpt", "refuse", "451 4.7.1 Greylisted, come again"), "451 4.7.1 Greylisted, come again"),
    "drops": (Fault("data", "drop"), "The server hung up instead of giving its answer to DATA."),
}


@pytest.mark.parametrize(("fault", "words"), FAULTS.values(), ids=FAULTS)
def test_the_page_says_why_it_waits_and_a_retry_sends_it_when_that_is_over(
    place: Place, fault: Fault, words: str
) -> None:
    place.far_side.ledger.faults.append(fault)
    number = place.send()
    page = place.panel.get(f"/mail/{number}/").text
    assert words in page
    assert place.name in page
    assert words in place.product.command("queue", "show", number)
    assert place.far_side.messages == []
    place.far_side.ledger.faults.clear()
    place.product.command("queue", "retry", number)
    place.wait_for_arrival()
    assert words in place.panel.get(f"/mail/{number}/").text  # the history stays


def test_a_wrong_password_is_what_the_overview_says_first_and_a_right_one_lets_the_mail_go(place: Place) -> None:
    place.far_side.terms.login = (LOGIN[0], "mistyped")
    place.product.route_to(place.far_side)
    place.far_side.terms.login = LOGIN
    number = place.send()
    words = f"The smarthost {place.name} refuses our password."
    assert words in place.panel.get("/").text
    assert words in place.product.command("doctor", status=1)
    place.product.route_to(place.far_side)
    place.product.command("queue", "retry", number)
    place.wait_for_arrival()
    assert words not in place.panel.get("/").text


def test_a_smarthost_that_is_not_there_is_told_so_and_its_return_is_enough(place: Place) -> None:
    gone = Smarthost(tls="none")
    place.product.route_to(gone)
    number = place.send()
    page = place.panel.get(f"/mail/{number}/")
    assert "The connection was refused: nothing listens there." in page.text
    with gone as back:
        form = page.form(action=f"/mail/{number}/retry/")
        assert place.panel.submit(form).status == 200
        place.wait_for_arrival(back)
