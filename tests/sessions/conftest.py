"""One running product for all the tests that only talk to it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.ground.daemon import Product, Template


@pytest.fixture(scope="package")
def standing(product_template: Template) -> Iterator[Product]:
    """A product that runs, with its deliveries paused so that its queue can be looked at."""
    product = product_template.copy()
    product.command("queue", "pause")
    # The limits on connections are each worker's own, and its memory is measured: so one worker on PostgreSQL, too.
    product.start("smtpd", "--workers", "1")
    yield product
    product.remove()
