"""A mail server on the far side that keeps what it is sent, octet for octet, and fails in the ways asked of it.

It runs in a thread with a loop of its own, so that blocking tests and asynchronous ones can use it alike::

    with Smarthost(tls="starttls", login=("user", "secret")) as far_side:
        ...
        message = far_side.wait_for(1)[0]
        assert message.data == sent

`tests.ground.smarthost_session` holds the dialogue.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, Literal, Self

import trustme

from tests.ground.ports import free_port

Tls = Literal["none", "starttls", "implicit"]
Stage = Literal["connect", "banner", "helo", "starttls", "auth", "mail", "rcpt", "data", "body", "dot", "quit"]
# refuse: answer with `reply`; hang: say nothing more; drop: close at once; lie: answer yes and do something else.
Action = Literal["refuse", "hang", "drop", "lie"]
EXTENSIONS: Final = ("PIPELINING", "SIZE 60000000", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES", "DSN")
NAMES: Final = ("localhost", "127.0.0.1", "::1")


@dataclass(slots=True)
class Fault:
    """One way of failing.

    Args:
        stage: where in the dialogue; ``body`` is in the midst of the data, ``dot`` after its end.
        action: what happens there. At ``starttls``, ``lie`` answers 220 and goes on in clear text.
        reply: the whole reply for ``refuse``, without its line end.
        times: how many times, after which all is well; -1 for always.
        address: at ``rcpt``, the only recipient it is for; empty for all.
        kept: at ``dot``, whether the message is kept all the same (the client cannot know).
    """

    stage: Stage
    action: Action
    reply: str = "451 4.3.0 not now"
    times: int = -1
    address: str = ""
    kept: bool = False


@dataclass(frozen=True, slots=True)
class Stored:
    """A message as it arrived: `data` is what stood between the reply to DATA and the final dot, dots undone."""

    sender: str
    sender_parameters: tuple[str, ...]
    recipients: tuple[str, ...]
    recipient_parameters: tuple[tuple[str, ...], ...]
    data: bytes
    helo: str
    tls: str
    login: str
    connection: int
    at: datetime


@dataclass(slots=True)
class Terms:
    """What the server offers and asks for."""

    tls: Tls = "starttls"
    login: tuple[str, str] | None = None
    extensions: tuple[str, ...] = EXTENSIONS
    mechanisms: tuple[str, ...] = ("PLAIN", "LOGIN")
    keep: bool = True  # False counts messages and forgets their data


@dataclass(slots=True)
class Ledger:
    """What happened so far; written in the server's thread, read in the test's."""

    messages: list[Stored] = field(default_factory=list)
    connections: int = 0
    commands: list[str] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def fault(self, stage: Stage, address: str = "") -> Fault | None:
        """Return the fault that is due at `stage`, and count it."""
        for fault in self.faults:
            if fault.stage == stage and fault.times and fault.address in {"", address}:
                fault.times -= 1
                return fault
        return None

    def store(self, message: Stored) -> None:
        """Keep `message` and wake whoever waits for it."""
        with self.changed:
            self.messages.append(message)
            self.changed.notify_all()


class Smarthost:
    """The server: a context manager that listens while it is entered."""

    def __init__(
        self,
        *faults: Fault,
        tls: Tls = "starttls",
        login: tuple[str, str] | None = None,
        extensions: tuple[str, ...] = EXTENSIONS,
        authority: trustme.CA | None = None,
        names: tuple[str, ...] = NAMES,
        port: int = 0,
        host: str = "127.0.0.1",
        keep: bool = True,
    ) -> None:
        """Prepare a server.

        Args:
            faults: ways of failing, tried in order.
            tls: how connections are protected.
            login: user name and password that it asks for; None asks for nothing.
            extensions: lines of its EHLO beside STARTTLS and AUTH.
            authority: signs its certificate; a new one by default (`ca_pem`).
            names: what the certificate is for.
            port: where to listen on `host`; 0 takes a free one.
            host: the address to listen on.
            keep: whether the octets of messages are kept.
        """
        self.terms = Terms(tls=tls, login=login, extensions=extensions, keep=keep)
        self.ledger = Ledger(faults=list(faults))
        self.host = host
        self.port = port or free_port()
        self._authority = authority or trustme.CA(key_type=trustme.KeyType.ECDSA)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._authority.issue_cert(*names, key_type=trustme.KeyType.ECDSA).configure_cert(self.context)
        self._loop = asyncio.new_event_loop()
        self._thread: threading.Thread | None = None
        self._listening = threading.Event()

    @property
    def ca_pem(self) -> str:
        """The authority's certificate."""
        return self._authority.cert_pem.bytes().decode("ascii")

    @property
    def messages(self) -> list[Stored]:
        """What arrived so far."""
        with self.ledger.changed:
            return list(self.ledger.messages)

    def wait_for(self, count: int, timeout: float = 20.0) -> list[Stored]:  # a blocking call
        """Return the messages once there are `count`.

        Raises:
            AssertionError: there are fewer after `timeout` seconds.
        """
        deadline = time.monotonic() + timeout
        with self.ledger.changed:
            while len(self.ledger.messages) < count:
                left = deadline - time.monotonic()
                if left <= 0:
                    raise AssertionError(f"{len(self.ledger.messages)} of {count} messages after {timeout} s")
                self.ledger.changed.wait(left)
            return list(self.ledger.messages)

    def forget(self) -> None:
        """Forget the messages that arrived so far."""
        with self.ledger.changed:
            self.ledger.messages.clear()

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._run, name="smarthost", daemon=True)
        self._thread.start()
        if not self._listening.wait(10):
            raise RuntimeError("the smarthost did not start")
        return self

    def __exit__(self, *exception: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        if self._thread is not None:
            self._thread.join(10)

    def _run(self) -> None:
        self._loop.run_until_complete(self._listen())
        self._listening.set()
        try:
            self._loop.run_forever()
        finally:
            tasks = asyncio.all_tasks(self._loop)
            for task in tasks:
                task.cancel()
            if tasks:
                self._loop.run_until_complete(asyncio.wait(tasks))
            self._loop.close()

    async def _listen(self) -> None:
        from tests.ground.smarthost_session import Session

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.ledger.connections += 1
            with contextlib.suppress(asyncio.CancelledError):  # the server ends
                await Session(self.terms, self.ledger, self.context, reader, writer).run()

        implicit = self.context if self.terms.tls == "implicit" else None
        await asyncio.start_server(connected, self.host, self.port, ssl=implicit, limit=1 << 20, backlog=200)


def utc_now() -> datetime:
    """Return the time, for what arrives."""
    return datetime.now(UTC)
