"""`manage.py up`: one command starts everything, keeps it running, and ends it."""

from __future__ import annotations

import http.client
import os
import pwd
import re
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.daemon.processes import alive, children, kill, refused, status
from tests.daemon.test_certificate import ROTATE, served
from tests.ground.daemon import Product, wait_until
from tests.ground.ports import free_port


@dataclass
class Household:
    """A product that is started by ``up``, with the ports of its panel."""

    product: Product
    http: int
    https: int

    def up(self, *arguments: str, wait: bool = True) -> subprocess.Popen[bytes]:
        """Start it; return when panel and daemon serve, unless `wait` is false."""
        if not self.product.ports:
            self.product.choose_ports()
        flags = ("--http-port", str(self.http), "--https-port", str(self.https))
        process = self.product.start("up", *flags, *arguments, ready=wait)
        if wait:
            wait_until(lambda: self.status() == 302, "the panel answers")
        return process

    def status(self, *, tls: bool = False) -> int:
        """Return the status of the panel's root, or 0 when it does not answer."""
        with suppress(OSError, http.client.HTTPException):
            connection: http.client.HTTPConnection = http.client.HTTPConnection("127.0.0.1", self.http, timeout=10)
            if tls:
                trusting = self.product.tls()
                connection = http.client.HTTPSConnection("localhost", self.https, timeout=10, context=trusting)
            with closing(connection):
                connection.request("GET", "/")
                return connection.getresponse().status
        return 0

    def everybody(self) -> list[int]:
        """Return all processes, those of the panel and of the daemon included."""
        if self.product.process is None:
            raise AssertionError("up was not started")
        programs = children(self.product.process.pid)
        return [self.product.process.pid, *programs, *(pid for program in programs for pid in children(program))]


@pytest.fixture
def household(product: Product) -> Iterator[Household]:
    """A household that has been set up."""
    household = Household(product, free_port(), free_port())
    yield household
    # Each program leads a session of its own, so a kill of the group of `up` would leave them.
    for pid in household.everybody() if product.process and product.process.poll() is None else []:
        with suppress(ProcessLookupError):
            kill(pid)


def test_panel_and_daemon_run_and_ctrl_c_ends_all_of_them_cleanly(household: Household) -> None:
    process = household.up()
    assert household.status(tls=True) == 302
    everybody = household.everybody()
    # up, two panels with a process that serves in each, and the daemon's supervisor, worker (or several) and runner.
    assert len(everybody) >= 1 + 2 + 2 + 3
    begin = time.monotonic()
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 0
    assert time.monotonic() - begin < 8
    assert not any(alive(pid) for pid in everybody)
    assert "Traceback" not in household.product.log_text()


def test_a_household_that_is_set_up_is_asked_nothing_and_told_where_the_panel_is(household: Household) -> None:
    begin = time.monotonic()
    household.up()
    assert time.monotonic() - begin < 15
    assert f"http://localhost:{household.http}/" in household.product.log_text()
    assert "/setup/" not in household.product.log_text()


def test_before_the_set_up_a_one_time_link_is_printed_that_opens_the_first_run(household: Household) -> None:
    household.product.choose_ports()
    household.product.database.rows("UPDATE server_server SET set_up_at = NULL")
    household.up()
    found = re.search(rf"http://localhost:{household.http}(/setup/[\w-]{{30,}}/)", household.product.log_text())
    assert found is not None
    assert f":{household.https}{found[1]}" in household.product.log_text()
    with closing(http.client.HTTPConnection("127.0.0.1", household.http, timeout=10)) as connection:
        connection.request("GET", found[1])
        answer = connection.getresponse()
        answer.read()
        assert answer.status in {200, 302}
        assert "login" not in answer.headers.get("Location", "")


def test_whatever_ends_is_started_again(household: Household) -> None:
    process = household.up()
    programs = children(process.pid)
    assert len(programs) == 3
    for program in programs:
        kill(program)
    wait_until(lambda: len(set(children(process.pid)) - set(programs)) == 3, "three others")
    wait_until(lambda: household.status() == 302, "the panel answers again")
    wait_until(lambda: household.status(tls=True) == 302, "the panel answers again under TLS")
    wait_until(lambda: not refused(household.product.ports["mx"]), "the daemon serves again")


def test_up_that_is_killed_leaves_nothing_behind(household: Household) -> None:
    process = household.up()
    everybody = household.everybody()
    kill(process.pid)
    process.wait()
    wait_until(lambda: not any(alive(pid) for pid in everybody), "all processes are gone")


@pytest.mark.parametrize("flag", ["--http-port", "--https-port"])
def test_a_taken_port_of_the_panel_is_told_in_words(household: Household, flag: str) -> None:
    port = household.http if flag == "--http-port" else household.https
    with closing(socket.create_server(("127.0.0.1", port))):
        process = household.up(wait=False)
        assert process.wait(20) == 1
    assert f"Port {port} is in use" in household.product.log_text()
    assert flag in household.product.log_text()
    assert "Traceback" not in household.product.log_text()


def test_a_port_that_is_none_is_a_wrong_call(product: Product) -> None:
    assert "use a number from 1 to 65535" in product.command("up", "--http-port", "99999", status=2)


def test_the_panel_for_the_network_speaks_tls_only_and_renews_its_certificate_live(household: Household) -> None:
    household.up()
    with closing(socket.create_connection(("127.0.0.1", household.https), timeout=10)) as plain:
        plain.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        with suppress(ConnectionResetError):
            assert plain.recv(1024) == b""
    before = served(household.https)
    assert before == ssl.PEM_cert_to_DER_cert(household.product.certificate)
    household.product.command("shell", "-c", ROTATE)
    wait_until(lambda: served(household.https) != before, "the new certificate", 2, 0.02)
    assert served(household.https) == ssl.PEM_cert_to_DER_cert(household.product.certificate)


def test_clients_that_stall_do_not_keep_others_out(household: Household) -> None:
    household.up()
    stalled = [socket.create_connection(("127.0.0.1", household.https), timeout=10) for _ in range(32)]
    try:
        for sock in stalled:
            sock.sendall(b"\x16\x03\x01\x02\x00")  # the beginning of a ClientHello that never ends
        wait_until(lambda: household.status(tls=True) == 302, "the panel answers", 30)
    finally:
        for sock in stalled:
            sock.close()
    assert "Traceback" not in household.product.log_text()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has something to give up")
def test_the_panel_becomes_the_daemons_user_where_that_user_can_read_the_program(household: Household) -> None:
    nobody = pwd.getpwnam("nobody")
    process = household.up("--user", "nobody")
    serving = [pid for program in children(process.pid)[:2] for pid in children(program)]
    users = {status(pid)["Uid"].split()[1] for pid in serving}
    groups = {status(pid)["Gid"].split()[1] for pid in serving}
    if "The panel runs as root" in household.product.log_text():
        assert users == {"0"}
    else:
        assert (users, groups) == ({str(nobody.pw_uid)}, {str(nobody.pw_gid)})
    # Whoever the panel is, it can write what the daemon's user owns.
    assert household.status(tls=True) == 302


def test_no_control_socket_is_opened(household: Household) -> None:
    process = household.up()
    for program in children(process.pid):
        links = [str(link.readlink()) for link in Path(f"/proc/{program}/fd").iterdir()]
        assert not any("gunicorn.ctl" in link for link in links)
