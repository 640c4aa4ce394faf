"""What /proc and the network say about the daemon's processes."""

from __future__ import annotations

import os
import signal
import socket
from contextlib import closing, suppress
from pathlib import Path

from tests.ground.daemon import Product, wait_until


def status(pid: int) -> dict[str, str]:
    """Return the fields of ``/proc/PID/status``."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def children(pid: int) -> list[int]:
    """Return the processes that `pid` has started and that live."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def alive(pid: int) -> bool:
    """Say whether `pid` is a process that has not ended."""
    with suppress(OSError):
        return not status(pid)["State"].startswith("Z")
    return False


def all_of(product: Product) -> list[int]:
    """Return the supervisor, its workers and its runner."""
    if product.process is None:
        raise AssertionError("the daemon was not started")
    return [product.process.pid, *children(product.process.pid)]


def listening_inodes(port: int) -> set[str]:
    """Return the inodes of the sockets that listen on `port` of IPv4: what a socket is, whoever holds it."""
    rows = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:])
    return {row[9] for row in rows if row[3] == "0A" and int(row[1].rpartition(":")[2], 16) == port}


def greeting(port: int, timeout: float = 20.0) -> bytes:
    """Connect to `port` and return the first line, as soon as it comes.

    Raises:
        ConnectionRefusedError: nobody listens.
    """
    with closing(socket.create_connection(("127.0.0.1", port), timeout=timeout)) as connection:
        return connection.recv(1024)


def refused(port: int) -> bool:
    """Say whether nobody listens on `port`."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except ConnectionRefusedError:
        return True
    return False


def kill(pid: int, number: signal.Signals = signal.SIGKILL) -> None:
    """Send a signal to `pid`."""
    os.kill(pid, number)


def problems(product: Product, role: str) -> str:
    """Return what the processes of `role` say they cannot do; nothing when they can do everything."""
    rows = product.database.rows("SELECT problems FROM generation_process WHERE role=%s", role)
    return " ".join(text for row in rows if (text := str(row["problems"])) != "[]")


def wait_for_processes(product: Product, role: str, count: int) -> list[int]:
    """Return the processes of `role` when there are `count` of them."""
    wait_until(lambda: len(product.pids(role)) == count, f"{count} processes as {role}")
    return product.pids(role)


def one_of(product: Product, role: str) -> int:
    """Return a process of `role`; on PostgreSQL there are several workers."""
    wait_until(lambda: product.pids(role), f"a process as {role}")
    return product.pids(role)[0]
