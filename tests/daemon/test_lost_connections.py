"""The daemon gets over losing its connections to the database, without a restart."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing

import pytest

from tests import cast
from tests.daemon.processes import all_of, greeting, refused
from tests.ground.daemon import Product, wait_until
from tests.ground.ports import free_port


@pytest.mark.postgresql_only
def test_changes_are_live_again_after_every_connection_was_cut(product: Product) -> None:
    product.start()
    before, port = all_of(product), free_port()
    others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    assert len(product.database.rows(f"SELECT pg_terminate_backend(pid) {others}")) > len(before)
    product.command("listener", "set", "mx", "--port", str(port))
    wait_until(lambda: not refused(port), "the change is live", 5)
    assert greeting(port).startswith(b"220 ")
    with product.client("submission", cast.BECKY) as client:
        client.sendmail(cast.BECKY.address, cast.OUTLOOK.address, f"From: {cast.BECKY.address}\r\n\r\nstill here\r\n")
    assert all_of(product) == before


@pytest.mark.sqlite_only
def test_a_database_that_is_locked_for_long_does_not_stop_the_daemon_from_hearing_changes(product: Product) -> None:
    product.start()
    before, port = all_of(product), free_port()
    with closing(sqlite3.connect(product.home / "mailadmin.sqlite3", isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        holder.execute("UPDATE listeners_listener SET port=? WHERE name='mx'", (port,))
        holder.execute("UPDATE generation_generation SET number = number + 1")
        # The heartbeats of every process wait for this lock meanwhile.
        assert not [pid for pid in before if pid not in all_of(product)]
        wait_until(lambda: greeting(product.ports["mx"]).startswith(b"220 "), "it serves")
        time.sleep(4)
        holder.execute("COMMIT")
    wait_until(lambda: not refused(port), "the change is live", 3)
    assert all_of(product) == before
