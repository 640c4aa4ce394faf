"""Messages of 20 MB that pour in through connections of their own, without a pause."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests import cast
from tests.ground.daemon import Product
from tests.ground.wire import Wire, signed_in
from tests.interop.messages import FAR, LARGE


@dataclass(slots=True)
class Flood:
    """What has poured in so far.

    Attributes:
        octets: accepted by a 250.
        messages: as many were.
        refused: the replies that were something else.
    """

    octets: int = 0
    messages: int = 0
    refused: list[bytes] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, reply: bytes, size: int) -> None:
        """Count a message by the reply to its end."""
        with self._lock:
            if reply.startswith(b"250"):
                self.octets += size
                self.messages += 1
            else:
                self.refused.append(reply)

    @property
    def megabytes(self) -> int:
        """What was accepted."""
        return self.octets // 1_000_000


@contextmanager
def pouring_in(product: Product, sender: cast.Person, connections: int = 2) -> Iterator[Flood]:
    """Send large messages meanwhile, for somebody elsewhere; the body begins when the first one is under way.

    Args:
        product: to which product's submission port.
        sender: who is signed in.
        connections: how many send at once.
    """
    enough = threading.Event()
    flood = Flood()
    data = LARGE.data.replace(cast.BECKY.address.encode(), sender.address.encode())
    wires = [signed_in(product, sender) for _ in range(connections)]

    def pour(wire: Wire) -> None:
        while not enough.is_set():
            reply = wire.message(sender.address, FAR, data)
            flood.note(reply, len(data))
            if not reply.startswith(b"250"):
                time.sleep(0.1)

    threads = [threading.Thread(target=pour, args=(wire,)) for wire in wires]
    for thread in threads:
        thread.start()
    try:
        yield flood
    finally:
        enough.set()
        for thread in threads:
            thread.join()
        for wire in wires:
            wire.close()
