"""People who go on sending while something fails, and who know afterwards what they were promised."""

from __future__ import annotations

import re
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from tests import cast
from tests.ground.daemon import Product, wait_until
from tests.ground.wire import ConnectionEndedError, Wire

TEMPORARY: Final = (b"451 4.3.", b"452 4.3.1 ", b"454 4.7.0 ", b"421 4.3.")
PATIENCE: Final = 60.0  # seconds that a sender waits for a reply before it calls the server hung
NUMBER: Final = re.compile(rb"^Subject: (traffic-\d+-\d+)\r?$", re.MULTILINE)


@dataclass(slots=True)
class Traffic:
    """What the senders have been told.

    Attributes:
        accepted: the numbers of the messages that got a 250.
        others: what else was answered, and how often.
        longest: the longest wait for a reply, in seconds.
    """

    product: Product
    accepted: list[str] = field(default_factory=list)
    others: Counter[bytes] = field(default_factory=Counter)
    longest: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _enough: threading.Event = field(default_factory=threading.Event)

    def _connect(self) -> Wire | None:
        """Return a connection that is signed in; None when that is not possible now."""
        wire = Wire(self.product, "submissions")
        wire.socket.settimeout(PATIENCE)
        wire.hello()
        reply = wire.sign_in(cast.BECKY)
        if reply.startswith(b"235"):
            return wire
        self._note("", reply)
        wire.close()
        return None

    def _note(self, number: str, reply: bytes) -> None:
        with self._lock:
            if number and reply.startswith(b"250"):
                self.accepted.append(number)
            else:
                self.others[reply] += 1

    def send(self, sender: int) -> None:
        """Send one message after another until it is enough."""
        count, wire = 0, None
        while not self._enough.is_set():
            count += 1
            number = f"traffic-{sender}-{count}"
            data = f"From: {cast.BECKY.address}\r\nSubject: {number}\r\n\r\n{number}\r\n".encode()
            began = time.monotonic()
            try:
                wire = wire or self._connect()
                if wire is not None:
                    reply = wire.message(cast.BECKY.address, cast.OUTLOOK.address, data)
                    self._note(number, reply)
                    if not reply.startswith(b"250"):
                        wire.say("RSET")
            except ConnectionEndedError:
                wire = None
            with self._lock:
                self.longest = max(self.longest, time.monotonic() - began)
            time.sleep(0.02)
        if wire is not None:
            wire.close()

    def wait_for(self, more: int, timeout: float = 40.0) -> None:
        """Return when so many more messages were accepted.

        Raises:
            AssertionError: they were not within `timeout` seconds.
        """
        enough = len(self.accepted) + more
        wait_until(lambda: len(self.accepted) >= enough, f"{more} more messages are accepted", timeout)

    def end(self) -> None:
        """Have the senders come to an end."""
        self._enough.set()

    def check(self) -> None:
        """See that every refusal was temporary, and that every promise is kept."""
        assert [reply for reply in self.others if not reply.startswith(TEMPORARY)] == []
        wait_until(lambda: set(self.accepted) <= self.delivered().keys(), "all that was accepted is delivered", 60, 0.5)

    def delivered(self) -> Counter[str]:
        """Return the numbers in the mailbox, and how often each is there."""
        found = (NUMBER.search(data) for data in self.product.mailbox(cast.OUTLOOK))
        return Counter(match[1].decode() for match in found if match)

    def summary(self) -> str:
        """Return what happened, for people."""
        refusals = ", ".join(f"{number} × {reply.decode()}" for reply, number in self.others.most_common())
        twice = sum(number - 1 for number in self.delivered().values())
        return (
            f"{len(self.accepted)} messages accepted, all delivered, {twice} of them twice; "
            f"longest wait {self.longest:.1f} s\n  refused meanwhile: {refusals or 'none'}"
        )


@contextmanager
def traffic(product: Product, senders: int = 3) -> Iterator[Traffic]:
    """Have `senders` people send meanwhile; the body begins when the first messages are accepted."""
    flow = Traffic(product)
    threads = [threading.Thread(target=flow.send, args=(number,), daemon=True) for number in range(senders)]
    for thread in threads:
        thread.start()
    try:
        flow.wait_for(5)
        yield flow
    finally:
        flow.end()
        for thread in threads:
            thread.join(PATIENCE)


def processes(product: Product) -> dict[str, list[int]]:
    """Return who runs, by role; a failure that replaces somebody is seen by comparing."""
    return {role: product.pids(role) for role in ("supervisor", "worker", "runner")}
