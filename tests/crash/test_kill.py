"""Whatever is killed with -9, a message that got its 250 is delivered at least once.

Clients submit 2,000 messages, some large, while worker, runner and supervisor are killed at random moments; the
supervisor is started again by the test, as systemd would. Then everything that got a 250 must be at the smarthost, or
in a mailbox. Duplicates are allowed, and counted: who dies between a delivery and its record repeats it.

Kills go by the number of messages accepted since the last one, so that a slow machine has as many as a fast one.
"""

from __future__ import annotations

import os
import random
import signal
import smtplib
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Final

import pytest

from tests import cast
from tests.ground.daemon import Product, wait_until
from tests.ground.smarthost import Smarthost

MESSAGES: Final = 2000
CLIENTS: Final = 6
FAR: Final = "friend@example.net"
KILLS_AT_LEAST: Final = 20
# Every so many messages one goes into the store of large bodies; an odd number, so that both ways out see some.
LARGE_EVERY: Final = 49
LARGE_SIZE: Final = 600_000
# How many messages are accepted between two kills, at least and at most.
ACCEPTED_BETWEEN: Final = (5, 75)
# Seconds until somebody is killed although nothing is accepted, and a wait that makes the moment random.
PATIENCE: Final = 3.0
JITTER: Final = 0.1
# How often each is killed, in relation.
LOTS: Final = ("worker",) * 5 + ("runner",) * 5 + ("supervisor",) * 2
SEED: Final = int(os.environ.get("CRASH_SEED", "20260401"))


def _message(number: int) -> bytes:
    body = b"0123456789" * 7 + b"\r\n"
    size = LARGE_SIZE if number % LARGE_EVERY == 0 else 1000
    head = f"From: {cast.BECKY.address}\r\nTo: {FAR}\r\nSubject: crash\r\nX-Number: {number}\r\n\r\n".encode()
    return head + body * (size // len(body))


def _number(data: bytes) -> int:
    return int(data.partition(b"X-Number: ")[2].partition(b"\r\n")[0])


class Clients:
    """Threads that submit the numbers from 0 on, each until it has a 250."""

    def __init__(self, product: Product) -> None:
        """Submit to `product`."""
        self._product = product
        self._context = product.tls()
        self._numbers = iter(range(MESSAGES))
        self._lock = threading.Lock()
        self.accepted: set[int] = set()
        self.retries = 0
        self.threads = [threading.Thread(target=self._run, daemon=True) for _ in range(CLIENTS)]

    def start(self) -> None:
        """Begin."""
        for thread in self.threads:
            thread.start()

    def busy(self) -> bool:
        """Whether some are not finished."""
        return any(thread.is_alive() for thread in self.threads)

    def _next(self) -> int | None:
        with self._lock:
            return next(self._numbers, None)

    def _run(self) -> None:
        client: smtplib.SMTP | None = None
        while (number := self._next()) is not None:
            while not self._submitted(number, client):
                client = self._connected()
            with self._lock:
                self.accepted.add(number)
            if number % 7 == 0 and client is not None:
                client.close()
                client = None

    def _connected(self) -> smtplib.SMTP | None:
        """Return a new connection, or None when there is nobody."""
        with self._lock:
            self.retries += 1
        try:
            client = smtplib.SMTP("127.0.0.1", self._product.ports["submission"], timeout=30)
            client.starttls(context=self._context)
            client.login(cast.BECKY.address, cast.BECKY.password)
        except (OSError, smtplib.SMTPException):
            time.sleep(0.05)
            return None
        return client

    def _submitted(self, number: int, client: smtplib.SMTP | None) -> bool:
        if client is None:
            return False
        recipient = cast.OUTLOOK.address if number % 2 else FAR
        try:
            client.sendmail(cast.BECKY.address, [recipient], _message(number))
        except (OSError, smtplib.SMTPException):
            client.close()
            return False
        return True


class Killer:
    """Kills one process at a time, and starts the daemon again when the supervisor was the one."""

    def __init__(self, product: Product, clients: Clients, dice: random.Random) -> None:
        """Kill processes of `product`, as `dice` say, while `clients` are busy."""
        self._product = product
        self._clients = clients
        self._dice = dice
        self._lots: list[str] = []
        self.kills: Counter[str] = Counter()

    def _next_role(self) -> str:
        """Draw a lot without putting it back, so that everybody's turn comes in a short run, too."""
        if not self._lots:
            self._lots = [*LOTS]
            self._dice.shuffle(self._lots)
        return self._lots.pop()

    def once(self) -> None:
        """Wait a random while and kill somebody."""
        goal = len(self._clients.accepted) + self._dice.randint(*ACCEPTED_BETWEEN)
        deadline = time.monotonic() + PATIENCE
        while len(self._clients.accepted) < goal and time.monotonic() < deadline and self._clients.busy():
            time.sleep(0.01)
        time.sleep(self._dice.uniform(0, JITTER))
        role = self._next_role()
        if role == "supervisor":
            assert self._product.process is not None
            self._product.process.kill()
            self._product.process.wait()
            self._product.start(ready=False)
        else:
            while not (pids := self._product.pids(role)):  # not back yet
                if time.monotonic() > deadline + PATIENCE:
                    return
                time.sleep(0.05)
            with suppress(ProcessLookupError):
                os.kill(self._dice.choice(pids), signal.SIGKILL)
        self.kills[role] += 1


@pytest.fixture
def far_side() -> Iterator[Smarthost]:
    """Where half of the messages go."""
    with Smarthost(tls="none") as server:
        yield server


def _mailbox_numbers(product: Product) -> Counter[int]:
    return Counter(map(_number, product.mailbox(cast.OUTLOOK)))


@pytest.mark.alone
@pytest.mark.timeout(600)
def test_no_accepted_message_is_lost_whoever_is_killed(
    product: Product, far_side: Smarthost, shown: Callable[[str], None]
) -> None:
    product.choose_ports()
    product.route_to(far_side)
    product.start()
    clients = Clients(product)
    killer = Killer(product, clients, random.Random(SEED))  # noqa: S311  # to be repeated
    began = time.monotonic()
    clients.start()
    while clients.busy():
        killer.once()
    assert clients.accepted == set(range(MESSAGES))
    submitted = time.monotonic() - began
    # What a broken connection deferred comes when it is due; here it is asked for at once.
    wait_until(lambda: _all_final(product), "everything is delivered", timeout=120, pause=1)
    at_smarthost = Counter(_number(message.data) for message in far_side.messages)
    delivered = at_smarthost + _mailbox_numbers(product)
    duplicates = delivered.total() - len(delivered)
    kills = ", ".join(f"{role} {number}" for role, number in sorted(killer.kills.items()))
    shown(
        f"{MESSAGES} messages accepted in {submitted:.0f} s with {clients.retries} new connections; "
        f"killed meanwhile: {kills} (seed {SEED})\n"
        f"lost: {len(clients.accepted - delivered.keys())}, duplicates: {duplicates}"
    )
    assert clients.accepted - delivered.keys() == set()
    assert killer.kills.total() >= KILLS_AT_LEAST
    assert set(killer.kills) == set(LOTS)
    assert product.database.states().keys() == {"delivered"}


def _all_final(product: Product) -> bool:
    """Whether nothing is under way; what waits is asked to be tried again."""
    states = product.database.states()
    if states.get("waiting"):
        product.command("queue", "retry", "--all")
    return states.keys() <= {"delivered", "failed", "cancelled"}
