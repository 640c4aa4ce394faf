"""What the runner's tests start from: an empty product and a smarthost on the far side."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from mailadmin.routing import services as routing
from mailadmin.routing.services import SmarthostInput
from mailadmin.server.services import initialise
from tests.ground.smarthost import Smarthost
from tests.runner.running import now

Route = Callable[..., None]


@pytest.fixture
def site(transactional_db: None) -> None:  # noqa: ARG001  # pytest's way to ask for it
    """The rows that every product has."""
    initialise(now())


@pytest.fixture
def far_side() -> Iterator[Smarthost]:
    """A smarthost without TLS that keeps what it is sent."""
    with Smarthost(tls="none") as server:
        yield server


@pytest.fixture
def route(site: None) -> Route:  # noqa: ARG001  # the route replaces one of its rows
    """Send mail for a pattern through smarthosts."""

    def through(*servers: Smarthost, pattern: str = "*") -> None:
        inputs = [SmarthostInput("127.0.0.1", server.port, "none") for server in servers]
        routing.set_route(actor="test", now=now(), pattern=pattern, via="smarthost", smarthosts=inputs)

    return through
