"""The supervisor keeps its children alive and its sockets open, and ends with everybody."""

from __future__ import annotations

import signal
import socket
import time
from contextlib import suppress

from smtpd.channel import Channel
from smtpd.children import FIRST_BACKOFF, GOOD_LIFE, LONGEST_BACKOFF, SILENCE, Child
from tests import cast
from tests.daemon.processes import (
    alive,
    all_of,
    greeting,
    kill,
    listening_inodes,
    one_of,
    refused,
    status,
    wait_for_processes,
)
from tests.ground.daemon import Product, wait_until


def test_a_killed_worker_is_replaced_on_the_same_sockets(product: Product) -> None:
    product.start()
    port = product.ports["submission"]
    worker = one_of(product, "worker")
    sockets = listening_inodes(port)
    before = set(all_of(product))
    kill(worker)
    # Its socket has nobody who accepts at this moment; the connection waits in the socket that the supervisor holds.
    assert greeting(port).startswith(b"220 ")
    assert listening_inodes(port) == sockets
    wait_until(lambda: set(product.pids("worker")) - before, "another worker")


def test_a_killed_runner_is_replaced(product: Product) -> None:
    product.start()
    runner = one_of(product, "runner")
    kill(runner)
    wait_until(lambda: product.pids("runner") not in ([], [runner]), "another runner")


def test_a_process_that_ended_is_taken_out_of_the_table(product: Product) -> None:
    product.start()
    worker = one_of(product, "worker")
    kill(worker)
    gone = "SELECT count(*) FROM generation_process WHERE pid=%s"
    wait_until(lambda: product.database.value(gone, worker) == 0, "the killed worker is forgotten")


def test_processes_of_an_earlier_daemon_that_was_killed_are_taken_out_of_the_table(product: Product) -> None:
    product.start()
    one_of(product, "worker")
    earlier = all_of(product)
    product.kill()
    product.start()
    rows = "SELECT pid FROM generation_process"
    wait_until(lambda: not {row["pid"] for row in product.database.rows(rows)} & set(earlier), "they are forgotten", 5)


def test_a_killed_supervisor_leaves_no_orphan_and_no_port_behind(product: Product) -> None:
    process = product.start()
    everybody = all_of(product)
    assert len(everybody) >= 3
    kill(process.pid)
    process.wait()
    wait_until(lambda: not any(alive(pid) for pid in everybody), "all processes are gone")
    assert all(refused(port) for port in product.ports.values())


def test_a_new_daemon_serves_at_once_after_the_supervisor_was_killed(product: Product) -> None:
    product.start()
    before = all_of(product)
    kill(before[0])
    product.start(ready=False)
    wait_until(lambda: not any(alive(pid) for pid in before[1:]), "the old ones are gone")
    wait_until(lambda: not refused(product.ports["mx"]), "the new one serves", 10)
    assert greeting(product.ports["mx"]).startswith(b"220 ")


def test_hup_changes_nothing(product: Product) -> None:
    process = product.start()
    before = all_of(product)
    process.send_signal(signal.SIGHUP)
    wait_until(lambda: "nothing to reload" in product.log_text(), "HUP is noted")
    assert all_of(product) == before
    assert greeting(product.ports["mx"]).startswith(b"220 ")


def test_term_takes_leave_of_idle_sessions_and_ends_with_zero(product: Product) -> None:
    product.start()
    with socket.create_connection(("127.0.0.1", product.ports["mx"]), timeout=10) as idle:
        assert idle.recv(1024).startswith(b"220 ")
        begin = time.monotonic()
        assert product.stop() == 0
        assert idle.recv(1024).startswith(b"421 4.3.2 ")
    assert time.monotonic() - begin < 5
    assert all(refused(port) for port in product.ports.values())


def test_term_lets_a_message_that_is_under_way_finish(product: Product) -> None:
    process = product.start()
    with product.client("submission", cast.BECKY) as client:
        client.mail(cast.BECKY.address)
        client.rcpt(cast.OUTLOOK.address)
        client.putcmd("data")
        assert client.getreply()[0] == 354
        client.send(f"From: {cast.BECKY.address}\r\nSubject: late\r\n\r\n".encode())
        process.send_signal(signal.SIGTERM)
        wait_until(lambda: "draining" in product.log_text(), "the worker drains")
        wait_until(lambda: refused(product.ports["submission"]), "nobody else is let in")
        client.send(b"but complete\r\n.\r\n")
        assert client.getreply()[0] == 250
        assert process.wait(15) == 0
        assert client.getreply()[0] == 421
    assert product.database.states() in ({"waiting": 1}, {"delivered": 1})


def test_ctrl_c_in_the_whole_group_of_processes_is_one_orderly_end(product: Product) -> None:
    process = product.start()
    for pid in all_of(product):
        # The first to hear it may have taken the others along already.
        with suppress(ProcessLookupError):
            kill(pid, signal.SIGINT)
    assert process.wait(15) == 0
    assert "restart_in" not in product.log_text()


def test_a_processes_name_says_what_it_is(product: Product) -> None:
    product.start()
    names = {status(pid)["Name"] for pid in all_of(product)}
    assert names >= {"smtpd", "smtpd-worker-0", "smtpd-runner"}


def test_several_workers_share_every_port(product: Product) -> None:
    product.start("smtpd", "--workers", "2")
    workers = wait_for_processes(product, "worker", 2)
    port = product.ports["mx"]
    assert len(listening_inodes(port)) == 2
    kill(workers[0])
    assert [greeting(port)[:4] for _ in range(16)] == [b"220 "] * 16


def test_the_number_of_workers_must_be_one_or_more(product: Product) -> None:
    assert "1 or more" in product.command("smtpd", "--workers", "0", status=2)


def test_a_child_that_keeps_dying_is_started_again_more_and_more_slowly() -> None:
    child = Child("worker", 0)
    pauses = []
    for now in range(12):
        one, other = Channel.pair()
        child.born(1, one, now)
        other.close()
        pauses.append(child.died(now + 0.5))
    assert pauses[:4] == [FIRST_BACKOFF, 2 * FIRST_BACKOFF, 4 * FIRST_BACKOFF, 8 * FIRST_BACKOFF]
    assert pauses[-1] == LONGEST_BACKOFF


def test_a_good_life_makes_the_next_restart_quick_again() -> None:
    child = Child("worker", 0)
    for lived in (1.0, 1.0, 1.0, GOOD_LIFE):
        one, other = Channel.pair()
        child.born(1, one, 0.0)
        other.close()
        pause = child.died(lived)
    assert pause == FIRST_BACKOFF


def test_a_child_is_stuck_when_it_has_been_silent_for_long() -> None:
    child = Child("worker", 0)
    assert not child.stuck(1000.0)
    one, other = Channel.pair()
    child.born(1, one, 0.0)
    other.close()
    child.heard(5.0)
    assert not child.stuck(5.0 + SILENCE)
    assert child.stuck(5.1 + SILENCE)
    one.close()
