"""Fixtures for all tests, and the rules of a run.

Marks: ``alone`` runs in a second, unparallel pass (timing, or the whole machine); ``sqlite_only`` and
``postgresql_only`` leave a test out, without a skip, where the other database is under test.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator
from datetime import datetime
from typing import TYPE_CHECKING

import pytest
from django.conf import settings
from django.utils import translation

from tests.ground import daemon
from tests.ground.clock import Clock
from tests.ground.daemon import Product, Template
from tests.ground.requirements import everything_must_run

if TYPE_CHECKING:
    from _pytest.terminal import TerminalReporter

SHOWN = "shown"
DATABASE_MARKS = {"sqlite_only": "sqlite", "postgresql_only": "postgresql"}


def database_vendor() -> str:
    """Return which database this run is about: sqlite or postgresql."""
    return "sqlite" if settings.DATABASES["default"]["ENGINE"].endswith("sqlite3") else "postgresql"


def pytest_report_header() -> str:
    """Say on which database the tests run."""
    return f"database: {database_vendor()}"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests of the other database."""
    vendor = database_vendor()
    others = [mark for mark, of in DATABASE_MARKS.items() if of != vendor]
    left_out = [item for item in items if any(item.get_closest_marker(mark) for mark in others)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn a skip into a failure where everything must run, and show what the product said when a test fails."""
    report = yield
    if report.failed:
        report.sections += [(f"log of {product.home}", product.log_text()[-6000:]) for product in daemon.PRESENT]
    if report.skipped and everything_must_run() and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.longrepr = f"nothing may be skipped here, but: {reason}"
    return report


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    """Print what tests had to show, and name the database."""
    for report in [*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")]:
        for name, text in getattr(report, "user_properties", ()):
            if name == SHOWN:
                terminalreporter.section(report.nodeid, sep="-")
                terminalreporter.write_line(str(text))
    terminalreporter.write_line(f"database: {database_vendor()}")


@pytest.fixture
def shown(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Show a table or a count at the end of the run, from whichever process."""
    return lambda text: record_property(SHOWN, text)


@pytest.fixture(autouse=True)
def _english() -> Iterator[None]:
    """Leave no language behind: a request of the test client sets the thread's and nothing takes it back."""
    yield
    translation.deactivate()


@pytest.fixture
def clock() -> Clock:
    """A clock that stands until the test moves it."""
    return Clock()


@pytest.fixture
def now(clock: Clock) -> datetime:
    """The clock's time, for services that take one moment."""
    return clock.now


@pytest.fixture(scope="session")
def product_template() -> Iterator[Template]:
    """A product with the cast's accounts, set up once a session and never started."""
    template = Template(os.environ.get("DATABASE_URL", ""))
    yield template
    template.remove()


@pytest.fixture
def product(product_template: Template) -> Iterator[Product]:
    """A real product of this test's own: not started yet, mail for elsewhere refused until `route_to`."""
    product = product_template.copy()
    yield product
    product.remove()
