"""What systemd offers a service: sockets passed in (sd_listen_fds(3)) and words passed out (sd_notify(3))."""

from __future__ import annotations

import os
import socket
from typing import Final

FIRST_PASSED: Final = 3


def passed_sockets() -> list[tuple[str, socket.socket]]:
    """Return the listening TCP sockets that systemd passed to this process, with their names.

    The variables are removed from the environment, so that no child believes they were meant for it.
    """
    pid, count, names = (os.environ.pop(name, "") for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"))
    if pid != str(os.getpid()) or not count.isdecimal():
        return []
    found = []
    labels = names.split(":") if names else []
    for index in range(int(count)):
        fd = FIRST_PASSED + index
        os.set_inheritable(fd, False)
        sock = socket.socket(fileno=fd)
        if sock.family not in {socket.AF_INET, socket.AF_INET6} or sock.type != socket.SOCK_STREAM:
            sock.close()
            continue
        sock.setblocking(False)
        found.append((labels[index] if index < len(labels) else "", sock))
    return found


class Notifier:
    """Talks to the service manager, if there is one."""

    def __init__(self) -> None:
        """Read ``NOTIFY_SOCKET`` and ``WATCHDOG_USEC``, and take them out of the environment."""
        address = os.environ.pop("NOTIFY_SOCKET", "")
        interval = os.environ.pop("WATCHDOG_USEC", "")
        pid = os.environ.pop("WATCHDOG_PID", "")
        mine = pid in {"", str(os.getpid())}
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) if address else None
        # Seconds between two signs of life: half of what the manager waits for.
        self.watchdog_interval = int(interval) / 2_000_000 if interval.isdecimal() and mine and address else 0.0
        self._status = ""

    def tell(self, *lines: str) -> None:
        """Send assignments such as ``READY=1``; a manager that does not listen is nobody's trouble."""
        if self._socket is None:
            return
        try:
            self._socket.sendto("\n".join(lines).encode(), socket.MSG_NOSIGNAL | socket.MSG_DONTWAIT, self._address)
        except OSError:
            return

    def status(self, text: str) -> None:
        """Say in a line what the service is doing, when that has changed."""
        if text != self._status:
            self._status = text
            self.tell(f"STATUS={text}")

    def close(self) -> None:
        """Close the socket, in a child that shall not use it."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
