"""A browser for a module, and products before their first run."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.browser.steps import LOGIN
from tests.browser.visitor import ARGUMENTS
from tests.ground.daemon import Product, Template
from tests.ground.requirements import program
from tests.ground.smarthost import Smarthost


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, as the system has it. For a module and no longer: while it runs, so does an event loop."""
    path = program("chromium")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def bare_template() -> Iterator[Template]:
    """A product whose first run is still to come."""
    template = Template(os.environ.get("DATABASE_URL", ""), set_up=False)
    yield template
    template.remove()


@pytest.fixture
def bare(bare_template: Template) -> Iterator[Product]:
    """A product of this test's own, before its first run."""
    product = bare_template.copy()
    product.choose_ports()
    yield product
    product.remove()


@pytest.fixture
def far_side() -> Iterator[Smarthost]:
    """The provider's server."""
    with Smarthost(tls="starttls", login=LOGIN) as server:
        yield server
