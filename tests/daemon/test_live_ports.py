"""Listeners change while the daemon runs, and a port that cannot be had hinders nothing else."""

from __future__ import annotations

import socket
import time
from contextlib import closing, suppress

from tests import cast
from tests.daemon.processes import all_of, greeting, problems, refused
from tests.ground.daemon import Product, wait_until
from tests.ground.ports import free_port


def _greets(port: int) -> bool:
    # A port that begins with TLS says nothing by itself.
    with suppress(ConnectionRefusedError, TimeoutError):
        return greeting(port, 0.5).startswith(b"220 ")
    return False


def test_a_changed_port_is_live_in_under_a_second_with_the_same_processes(product: Product) -> None:
    product.start()
    before, old, new = all_of(product), product.ports["mx"], free_port()
    product.command("listener", "set", "mx", "--port", str(new))
    begin = time.monotonic()
    wait_until(lambda: _greets(new), "the new port answers", pause=0.01)
    assert time.monotonic() - begin < 1.0
    assert refused(old)
    assert all_of(product) == before


def test_a_change_counts_as_in_force_only_when_its_port_is_open(product: Product) -> None:
    product.start()
    new = free_port()
    product.command("listener", "set", "mx", "--port", str(new))
    number = product.database.value("SELECT number FROM generation_generation")
    current = "SELECT min(generation) FROM generation_process WHERE role='worker'"
    wait_until(lambda: product.database.value(current) >= number, "the change is in force", 5, 0.01)
    assert greeting(new).startswith(b"220 ")


def test_an_open_session_survives_the_move_of_its_listener(product: Product) -> None:
    product.start()
    with product.client("submission", cast.BECKY) as client:
        old = product.ports["submission"]
        product.ports["submission"] = free_port()
        product.command("listener", "set", "submission", "--port", str(product.ports["submission"]))
        wait_until(lambda: refused(old), "the old port is closed")
        assert client.noop()[0] == 250


def test_a_listener_is_switched_off_and_on(product: Product) -> None:
    product.start()
    port = product.ports["mx"]
    product.command("listener", "set", "mx", "--off")
    wait_until(lambda: refused(port), "the port is closed")
    product.command("listener", "set", "mx", "--on")
    wait_until(lambda: _greets(port), "the port is open again")


def test_two_listeners_change_places(product: Product) -> None:
    product.start()
    before, mx, submission = all_of(product), product.ports["mx"], product.ports["submissions"]
    assert greeting(mx).startswith(b"220 ")
    swap = "UPDATE listeners_listener SET port = CASE name WHEN 'mx' THEN %s ELSE %s END WHERE name IN (%s, %s)"
    product.database.rows(swap, submission, mx, "mx", "submissions")
    product.database.rows("UPDATE generation_generation SET number = number + 1")
    wait_until(lambda: _greets(submission), "mx where submissions was")
    product.ports["mx"], product.ports["submissions"] = submission, mx
    with product.client("submissions", cast.BECKY) as client:
        assert client.noop()[0] == 250
    assert all_of(product) == before


def test_a_taken_port_is_told_in_words_and_opened_as_soon_as_it_is_free(product: Product) -> None:
    product.choose_ports()
    port = product.ports["submissions"]
    with closing(socket.create_server(("127.0.0.1", port))):
        product.start()
        assert greeting(product.ports["submission"]).startswith(b"220 ")
        words = f"127.0.0.1:{port} (submissions): another program uses this port"
        wait_until(lambda: words in problems(product, "supervisor"), "the problem is told")
        assert words in product.log_text()
    with product.client("submission", cast.BECKY):
        pass
    wait_until(lambda: problems(product, "supervisor") == "", "the problem is over", 10)
    with product.client("submissions", cast.BECKY) as client:
        assert client.noop()[0] == 250


def test_a_second_daemon_on_the_same_ports_is_told_so_even_with_several_workers(product: Product) -> None:
    first = product.start("smtpd", "--workers", "2")
    log = product.log_text()
    second = product.start("smtpd", "--workers", "2", ready=False)
    try:
        wait_until(lambda: "another program uses this port" in product.log_text()[len(log) :], "it is told", 20)
    finally:
        second.terminate()
        second.wait(20)
        product.process = first


def test_an_address_that_is_not_here_is_told_in_words(product: Product) -> None:
    product.choose_ports()
    product.database.rows("UPDATE listeners_listener SET address='192.0.2.77' WHERE name='submissions'")
    product.start()
    wait_until(lambda: "does not have this address" in problems(product, "supervisor"), "the problem is told")


def test_every_connection_has_nagle_off_and_a_long_line_of_waiting_clients(product: Product) -> None:
    product.start()
    # A reply in two writes would wait 40 ms for a delayed acknowledgement otherwise.
    with socket.create_connection(("127.0.0.1", product.ports["mx"]), timeout=10) as connection:
        connection.recv(1024)
        begin = time.monotonic()
        for _ in range(50):
            connection.sendall(b"NOOP\r\n")
            connection.recv(1024)
        assert time.monotonic() - begin < 1.0
