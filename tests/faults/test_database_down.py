"""A database that goes away costs a 451 and no message, and the same processes go on when it is back."""

from __future__ import annotations

import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

import pytest

from tests import cast
from tests.faults.traffic import TEMPORARY, processes, traffic
from tests.ground.daemon import Product, Template, wait_until
from tests.ground.panel import Page, Panel
from tests.ground.postgresql import Cluster
from tests.ground.wire import Wire, signed_in
from tests.interop.messages import PLAIN

DOWN: Final = "The database cannot be used at the moment"
LOCKED: Final = 25.0  # seconds; more than a statement waits (mailadmin.database.LOCK_TIMEOUT)


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """A cluster of this test's own."""
    with tempfile.TemporaryDirectory(prefix="mailadmin-pg-") as name:
        made = Cluster(Path(name))
        made.start()
        yield made
        made.stop()


@pytest.fixture
def standing(cluster: Cluster) -> Iterator[Product]:
    """A product on that cluster, to be started."""
    template = Template(cluster.url)
    product = template.copy()
    try:
        yield product
    finally:
        product.kill()
        cluster.start()
        product.remove()
        template.remove()


def _in_data(product: Product) -> Wire:
    """Return a connection that is in the midst of a message."""
    wire = signed_in(product)
    for command in (f"MAIL FROM:<{cast.BECKY.address}>", f"RCPT TO:<{cast.OUTLOOK.address}>", "DATA"):
        reply = wire.say(command)
        assert reply[:1] in b"23", reply
    wire.send(f"From: {cast.BECKY.address}\r\n\r\nto be continued\r\n".encode())
    return wire


@pytest.mark.postgresql_only
def test_a_database_that_stops_is_told_as_temporary_and_all_goes_on_when_it_is_back(
    cluster: Cluster, standing: Product, shown: Callable[[str], None]
) -> None:
    panel = standing.up()
    assert panel.sign_in(cast.ADMINISTRATOR).status == 200
    before = processes(standing)
    idle, busy = signed_in(standing), _in_data(standing)
    with traffic(standing) as flow:
        cluster.stop()
        busy.send(b".\r\n")
        assert busy.reply().startswith(TEMPORARY)
        assert idle.say(f"MAIL FROM:<{cast.BECKY.address}>").startswith(TEMPORARY)
        with Wire(standing, "submissions") as newcomer:
            newcomer.hello()
            assert newcomer.sign_in(cast.BECKY).startswith(TEMPORARY)
        for path in ("/", "/accounts/", "/mail/", "/settings/listeners/", "/login/"):
            page = panel.get(path)
            assert page.status == 503, path
            assert DOWN in page.text, path
        said = standing.command("doctor", status=1)
        assert "database.unreachable" in said
        assert "Traceback" not in said
        cluster.start()
        flow.wait_for(10)
    flow.check()
    shown(f"PostgreSQL stopped and started again: {flow.summary()}")
    assert flow.longest < 15
    assert flow.others, "nobody noticed"
    assert idle.say("NOOP").startswith(b"250")
    assert panel.get("/accounts/").status == 200
    assert processes(standing) == before


@pytest.mark.postgresql_only
def test_a_daemon_that_starts_before_its_database_says_so_and_serves_when_that_is_there(
    cluster: Cluster, standing: Product
) -> None:
    standing.choose_ports()
    cluster.stop()
    standing.start(ready=False)
    wait_until(lambda: "the database is not available" in standing.log_text(), "it is told")
    assert "Traceback" not in standing.log_text()
    cluster.start()
    wait_until(lambda: standing.pids("runner"), "it serves")
    with standing.client("submission", cast.BECKY) as client:
        client.sendmail(cast.BECKY.address, [cast.OUTLOOK.address], PLAIN.data)
    wait_until(lambda: len(standing.mailbox(cast.OUTLOOK)) == 1, "the message")


@contextmanager
def _locked(product: Product) -> Iterator[None]:
    """Keep everybody else from writing; reading goes on."""
    with closing(sqlite3.connect(product.home / "mailadmin.sqlite3", isolation_level=None, timeout=20)) as other:
        other.execute("BEGIN EXCLUSIVE")
        try:
            yield
        finally:
            other.execute("ROLLBACK")


@pytest.mark.sqlite_only
def test_a_database_that_somebody_keeps_locked_is_told_as_temporary_and_all_goes_on_when_it_is_free(
    product: Product, shown: Callable[[str], None]
) -> None:
    panel = product.up()
    assert panel.sign_in(cast.ADMINISTRATOR).status == 200
    before = processes(product)
    with traffic(product) as flow:
        with _locked(product):
            began = time.monotonic()
            with _asked(panel, product, cast.SUSPENDED, "resume") as answers:
                with signed_in(product, cast.OUTLOOK) as wire:  # what only reads goes on
                    assert wire.say(f"MAIL FROM:<{cast.OUTLOOK.address}>").startswith(b"250")
                assert panel.get("/accounts/").status == 200
                time.sleep(LOCKED - (time.monotonic() - began))
        flow.wait_for(10)
    flow.check()
    shown(f"SQLite locked for {LOCKED:.0f} s: {flow.summary()}")
    assert flow.longest < LOCKED + 5
    assert flow.others, "nobody noticed"
    (page,) = answers
    assert page.status == 503
    assert DOWN in page.text
    assert processes(product) == before


@contextmanager
def _asked(panel: Panel, product: Product, person: cast.Person, change: str) -> Iterator[list[Page]]:
    """Send a form meanwhile; gives the list of what was answered."""
    number = product.database.value("SELECT id FROM accounts_account WHERE address=%s", person.address)
    form = panel.get(f"/accounts/{number}/").form(action=f"/{change}/")
    answers: list[Page] = []
    thread = threading.Thread(target=lambda: answers.append(panel.submit(form)))
    thread.start()
    try:
        yield answers
    finally:
        thread.join()
