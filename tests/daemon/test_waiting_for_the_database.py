"""Without a database there is nothing to serve by: the daemon waits, says so, and goes on by itself."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.daemon.processes import all_of, greeting
from tests.ground.daemon import LISTENERS, Product, scratch_folder, wait_until
from tests.ground.ports import free_port

pytestmark = pytest.mark.sqlite_only


@pytest.fixture
def bare() -> Iterator[Product]:
    """A state folder with nothing in it."""
    product = Product(scratch_folder())
    product.ports = {name: free_port() for name in LISTENERS}
    yield product
    product.remove()


def test_the_daemon_waits_for_its_tables_and_then_serves_with_the_same_processes(bare: Product) -> None:
    bare.start(ready=False)
    wait_until(lambda: bare.log_text().count("the database is not available") >= 2, "both processes wait")
    before = all_of(bare)
    # By root, while the daemon is somebody else: what it makes there must belong to the daemon's user.
    bare.command("shell", "-c", "from mailadmin.server import install; install.migrate()")
    wait_until(lambda: "listener" in bare.log_text(), "the first worker has filled the database")
    bare.ports.clear()
    bare.choose_ports()
    bare.database.rows("UPDATE generation_generation SET number = number + 1")
    wait_until(lambda: f":{bare.ports['mx']} " in bare.log_text(), "the listeners are open")
    assert greeting(bare.ports["mx"]).startswith(b"220 ")
    assert all_of(bare) == before


def test_what_is_missing_is_said_in_words(bare: Product) -> None:
    bare.start(ready=False)
    wait_until(lambda: "the database is not available" in bare.log_text(), "the log tells")
    assert "Traceback" not in bare.log_text()


def test_a_daemon_that_waits_ends_on_term(bare: Product) -> None:
    bare.start(ready=False)
    wait_until(lambda: "the database is not available" in bare.log_text(), "it waits")
    assert bare.stop() == 0
