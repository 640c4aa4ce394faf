"""An SMTP connection that sends exactly the octets it is told to, and reads whole replies.

For what no honest client does: smtplib and the like refuse, quote or mend what a test wants to send.
"""

from __future__ import annotations

import base64
import socket
import ssl
from typing import Final, Self

from tests import cast
from tests.ground.daemon import Product

TIMEOUT: Final = 20.0


class ConnectionEndedError(AssertionError):
    """The server has closed the connection where a reply was expected."""


class Wire:
    """One connection to a listener of a product."""

    def __init__(self, product: Product, listener: str, *, implicit: bool | None = None, greet: bool = True) -> None:
        """Connect.

        Args:
            product: to which product.
            listener: to which listener of it.
            implicit: whether TLS begins at once; None: where the listener wants it.
            greet: whether the banner is read.
        """
        self._product = product
        self.socket: socket.socket = socket.create_connection(("127.0.0.1", product.ports[listener]), TIMEOUT)
        self._buffer = b""
        if listener == "submissions" if implicit is None else implicit:
            self._wrap()
        self.banner = self.reply() if greet else b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close without QUIT."""
        self.socket.close()

    def _wrap(self) -> None:
        context: ssl.SSLContext = self._product.tls()
        self.socket = context.wrap_socket(self.socket, server_hostname="127.0.0.1")

    def send(self, octets: bytes) -> None:
        """Send `octets` as they are.

        Raises:
            ConnectionEndedError: the server has closed the connection.
        """
        try:
            self.socket.sendall(octets)
        except (ConnectionError, ssl.SSLError) as error:
            raise ConnectionEndedError(str(error)) from error

    def line(self) -> bytes:
        """Return the next line without its end.

        Raises:
            ConnectionEndedError: there is none.
        """
        while b"\n" not in self._buffer:
            try:
                block = self.socket.recv(65536)
            except (ConnectionError, ssl.SSLError) as error:
                raise ConnectionEndedError(str(error)) from error
            if not block:
                raise ConnectionEndedError(f"after {self._buffer!r}")
            self._buffer += block
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line.rstrip(b"\r")

    def reply(self) -> bytes:
        """Return the next reply, all its lines joined by LF; raises as `line`."""
        lines = [self.line()]
        while lines[-1][3:4] == b"-":
            lines.append(self.line())
        return b"\n".join(lines)

    def say(self, command: str | bytes) -> bytes:
        """Send one command line and return the reply to it."""
        self.send((command.encode() if isinstance(command, str) else command) + b"\r\n")
        return self.reply()

    def hello(self) -> bytes:
        """Say EHLO and return the reply."""
        return self.say("EHLO client.test")

    def starttls(self) -> None:
        """Go on under TLS, and say EHLO again."""
        reply = self.say("STARTTLS")
        assert reply.startswith(b"220"), reply
        self._wrap()
        self.hello()

    def sign_in(self, person: cast.Person) -> bytes:
        """Sign in by PLAIN and return the reply."""
        return self.say(f"AUTH PLAIN {plain(person.address, person.password)}")

    def message(self, sender: str, recipient: str, data: bytes) -> bytes:
        """Send a message, dots doubled, and return the reply to its end (or the first refusal before it)."""
        for command in (f"MAIL FROM:<{sender}>", f"RCPT TO:<{recipient}>", "DATA"):
            reply = self.say(command)
            if reply[:1] not in b"23":
                return reply
        self.send((b"\r\n" + data).replace(b"\r\n.", b"\r\n..")[2:] + b".\r\n")
        return self.reply()

    def ended(self) -> bool:
        """Whether the server has closed the connection (waits for it, or for more to read)."""
        try:
            self.line()
        except ConnectionEndedError:
            return True
        return False


def plain(user: str, password: str) -> str:
    """Return the initial response of PLAIN."""
    return base64.b64encode(f"\0{user}\0{password}".encode()).decode("ascii")


def signed_in(product: Product, person: cast.Person = cast.BECKY, listener: str = "submission") -> Wire:
    """Return a connection under TLS on which `person` is signed in."""
    wire = Wire(product, listener)
    wire.hello()
    if listener == "submission":
        wire.starttls()
    reply = wire.sign_in(person)
    assert reply.startswith(b"235"), reply
    return wire
