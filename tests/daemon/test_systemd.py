"""What systemd offers is taken: sockets that are passed in, and a place to tell how things stand."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests import cast
from tests.daemon.processes import greeting, kill, listening_inodes, one_of
from tests.ground.daemon import LISTENERS, Product, wait_until

ACTIVATOR = "systemd-socket-activate"


def test_passed_sockets_are_used_by_their_names_instead_of_binding(product: Product) -> None:
    product.choose_ports()
    variables = [flag for name, value in product.variables.items() for flag in ("-E", f"{name}={value}")]
    sockets = [flag for name in LISTENERS for flag in ("-l", f"127.0.0.1:{product.ports[name]}")]
    # IPv6 is not passed, so that half of the listeners is bound by the daemon itself.
    product.start(before=(ACTIVATOR, *sockets, *variables, f"--fdname={':'.join(LISTENERS)}"), ready=False)
    wait_until(lambda: bool(listening_inodes(product.ports["mx"])), "the activator listens")
    passed = {name: listening_inodes(product.ports[name]) for name in LISTENERS}
    assert greeting(product.ports["mx"]).startswith(b"220 ")
    assert {name: listening_inodes(product.ports[name]) for name in LISTENERS} == passed
    assert "another program" not in product.log_text()
    kill(one_of(product, "worker"))
    with product.client("submissions", cast.BECKY) as client:
        assert client.noop()[0] == 250


def test_a_passed_socket_without_a_name_is_found_by_its_port(product: Product) -> None:
    product.choose_ports()
    variables = [flag for name, value in product.variables.items() for flag in ("-E", f"{name}={value}")]
    port = product.ports["submission"]
    product.start(before=(ACTIVATOR, "-l", f"127.0.0.1:{port}", *variables), ready=False)
    wait_until(lambda: bool(listening_inodes(port)), "the activator listens")
    passed = listening_inodes(port)
    assert greeting(port).startswith(b"220 ")
    assert listening_inodes(port) == passed
    wait_until(lambda: bool(listening_inodes(product.ports["mx"])), "the others are bound by the daemon")


class Manager:
    """The service manager's end of the notification socket."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        path.chmod(0o777)
        self.socket.setblocking(False)
        self.heard: list[str] = []

    def lines(self) -> list[str]:
        """Return everything that was said so far."""
        while True:
            try:
                self.heard += self.socket.recv(4096).decode().split("\n")
            except BlockingIOError:
                return self.heard


@pytest.fixture
def manager(product: Product) -> Iterator[Manager]:
    """A service manager that listens beside the product's files."""
    manager = Manager(product.home / "notify")
    with closing(manager.socket):
        yield manager


def test_the_service_manager_hears_when_the_daemon_is_ready_lives_and_stops(product: Product, manager: Manager) -> None:
    process = product.start(NOTIFY_SOCKET=str(product.home / "notify"), WATCHDOG_USEC="400000", ready=False)
    wait_until(lambda: "READY=1" in manager.lines(), "READY=1")
    # Ready means that it serves: nobody is refused from now on.
    assert all(listening_inodes(port) for port in product.ports.values())
    wait_until(lambda: "STATUS=serving" in manager.lines(), "the status")
    wait_until(lambda: manager.lines().count("WATCHDOG=1") > 3, "signs of life", 5)
    assert "STOPPING=1" not in manager.lines()
    process.terminate()
    assert process.wait(15) == 0
    assert "STOPPING=1" in manager.lines()


def test_the_status_tells_of_a_port_that_is_taken(product: Product, manager: Manager) -> None:
    product.choose_ports()
    with closing(socket.create_server(("127.0.0.1", product.ports["submissions"]))):
        product.start(NOTIFY_SOCKET=str(product.home / "notify"))
        wait_until(lambda: "STATUS=serving, 1 port cannot be opened" in manager.lines(), "the status")


def test_a_manager_that_has_gone_away_is_nobodys_trouble(product: Product) -> None:
    product.start(NOTIFY_SOCKET=str(product.home / "nobody-listens"), WATCHDOG_USEC="200000")
    assert product.stop() == 0
