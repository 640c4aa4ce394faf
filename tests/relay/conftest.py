"""A product that would relay if it let itself be talked into it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.ground.daemon import Product, Template
from tests.ground.smarthost import Smarthost
from tests.relay.forms import DIRECT


@dataclass(frozen=True, slots=True)
class Place:
    """The product, and the far side that it would relay to."""

    product: Product
    far_side: Smarthost

    def queued(self) -> int:
        """Return how many messages are or were in the queue."""
        return int(self.product.database.value("SELECT count(*) FROM queue_message"))

    def recipients(self) -> list[str]:
        """Return to whom the messages in the queue go."""
        rows = self.product.database.rows("SELECT address FROM queue_recipient ORDER BY id")
        return [row["address"] for row in rows]


@pytest.fixture(scope="module")
def place(product_template: Template) -> Iterator[Place]:
    """Start both: mail for elsewhere has a smarthost, for one domain the way to its MX."""
    product = product_template.copy()
    try:
        with Smarthost(tls="none") as far_side:
            product.route_to(far_side)
            product.command("route", "set", DIRECT, "--mx")
            product.start()
            yield Place(product, far_side)
    finally:
        product.remove()
