"""A database that goes away costs a 451 and no message, and the same processes go on when it is back."""

from __future__ import annotations

import smtplib
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest

from tests import cast
from tests.ground.daemon import Product, Template, wait_until
from tests.ground.postgresql import Cluster
from tests.ground.wire import Wire, signed_in
from tests.interop.messages import PLAIN

TEMPORARY: Final = (b"451 4.3.", b"454 4.7.0", b"421 4.3.")


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
    """A running product on that cluster."""
    template = Template(cluster.url)
    product = template.copy()
    try:
        product.start()
        yield product
    finally:
        product.kill()
        cluster.start()
        product.remove()
        template.remove()


def _processes(product: Product) -> dict[str, list[int]]:
    return {role: product.pids(role) for role in ("supervisor", "worker", "runner")}


def _send(product: Product) -> bool:
    try:
        with product.client("submission", cast.BECKY) as client:
            client.sendmail(cast.BECKY.address, [cast.OUTLOOK.address], PLAIN.data)
    except (smtplib.SMTPException, OSError):
        return False
    return True


def _in_data(product: Product) -> Wire:
    """Return a connection that is in the midst of a message."""
    wire = signed_in(product)
    for command in (f"MAIL FROM:<{cast.BECKY.address}>", f"RCPT TO:<{cast.OUTLOOK.address}>", "DATA"):
        reply = wire.say(command)
        assert reply[:1] in b"23", reply
    wire.send(PLAIN.data)
    return wire


@pytest.mark.postgresql_only
def test_a_database_that_stops_is_told_as_temporary_and_all_goes_on_when_it_is_back(
    cluster: Cluster, standing: Product
) -> None:
    before = _processes(standing)
    assert _send(standing)
    wait_until(lambda: len(standing.mailbox(cast.OUTLOOK)) == 1, "the first message")
    idle, busy = signed_in(standing), _in_data(standing)
    cluster.stop()
    busy.send(b".\r\n")
    assert busy.reply().startswith(TEMPORARY)
    assert idle.say(f"MAIL FROM:<{cast.BECKY.address}>").startswith(TEMPORARY)
    with Wire(standing, "submissions") as newcomer:
        newcomer.hello()
        assert newcomer.sign_in(cast.BECKY).startswith(TEMPORARY)
    cluster.start()
    wait_until(lambda: _send(standing), "the next message is taken", 20)
    wait_until(lambda: len(standing.mailbox(cast.OUTLOOK)) == 2, "the next message")
    assert idle.say("NOOP").startswith(b"250")
    assert _processes(standing) == before


@pytest.mark.sqlite_only
def test_a_database_that_somebody_keeps_locked_is_told_as_temporary(product: Product) -> None:
    product.start()
    before = _processes(product)
    busy = _in_data(product)
    with closing(sqlite3.connect(product.home / "mailadmin.sqlite3", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        busy.socket.settimeout(60)
        busy.send(b".\r\n")
        assert busy.reply().startswith(TEMPORARY)
        assert time.monotonic() - began > 5
        other.execute("ROLLBACK")
    wait_until(lambda: _send(product), "the next message is taken", 20)
    wait_until(lambda: len(product.mailbox(cast.OUTLOOK)) == 1, "the next message")
    assert _processes(product) == before
