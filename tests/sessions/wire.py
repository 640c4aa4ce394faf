"""A client that says exactly what a test tells it to, octet by octet, and a reader of dialogues written as text.

A ``.dialog`` file is a conversation as one sees it in an RFC::

    @ connect submission
    < 220
    > EHLO client.test
    < 250

``@`` does something (connect LISTENER, starttls, sign in PERSON, closed), ``>`` sends a line with CRLF, ``>>`` sends
octets with Python's escapes and nothing added, ``<`` reads a whole reply, which must begin so, ``<*`` one that must
contain the text, ``<!`` one that must not. ``#`` begins a comment.
"""

from __future__ import annotations

import base64
import socket
import ssl
from pathlib import Path

from tests import cast
from tests.ground.daemon import Product

PEOPLE = {name: value for name, value in vars(cast).items() if isinstance(value, cast.Person)}


class Wire:
    """A connection to one of the product's listeners."""

    def __init__(self, product: Product, listener: str, timeout: float = 10.0) -> None:
        self._product = product
        self._buffer = b""
        self.socket: socket.socket = socket.create_connection(("127.0.0.1", product.ports[listener]), timeout=timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if listener == "submissions":
            self.encrypt()

    def encrypt(self) -> None:
        """Begin TLS."""
        context = ssl.create_default_context(cadata=self._product.certificate)
        self.socket = context.wrap_socket(self.socket, server_hostname="localhost")

    def send(self, octets: bytes) -> None:
        """Send exactly this."""
        self.socket.sendall(octets)

    def reply(self) -> str:
        """Return the next reply, its lines joined by LF; empty when the server has closed."""
        lines: list[str] = []
        while True:
            while b"\r\n" not in self._buffer:
                try:
                    octets = self.socket.recv(65536)
                except (ConnectionResetError, ssl.SSLEOFError):
                    octets = b""
                if not octets:
                    return "\n".join(lines)
                self._buffer += octets
            line, _, self._buffer = self._buffer.partition(b"\r\n")
            lines.append(line.decode("ascii"))
            if line[3:4] != b"-":
                return "\n".join(lines)

    def ask(self, line: bytes | str) -> str:
        """Send a line with CRLF and return the reply."""
        self.send((line.encode() if isinstance(line, str) else line) + b"\r\n")
        return self.reply()

    def starttls(self) -> None:
        """Go through STARTTLS."""
        assert self.ask("STARTTLS").startswith("220")
        self.encrypt()

    def sign_in(self, person: cast.Person) -> str:
        """Sign in with AUTH PLAIN and return the reply."""
        response = base64.b64encode(f"\0{person.address}\0{person.password}".encode()).decode()
        return self.ask(f"AUTH PLAIN {response}")

    def close(self) -> None:
        """Hang up."""
        self.socket.close()

    @classmethod
    def signed_in(cls, product: Product, person: cast.Person = cast.BECKY) -> Wire:
        """Return a connection to the submission port on which `person` is signed in."""
        wire = cls(product, "submission")
        wire.reply()
        wire.ask("EHLO client.test")
        wire.starttls()
        wire.ask("EHLO client.test")
        assert wire.sign_in(person).startswith("235")
        return wire

    def begin_message(self, sender: str = cast.BECKY.address, recipient: str = cast.OUTLOOK.address) -> None:
        """Go as far as 354."""
        assert self.ask(f"MAIL FROM:<{sender}>").startswith("250")
        assert self.ask(f"RCPT TO:<{recipient}>").startswith("250")
        assert self.ask("DATA").startswith("354")


def play(product: Product, dialog: Path) -> None:
    """Hold the conversation of a ``.dialog`` file.

    Raises:
        AssertionError: the server said something else; the message names the line.
    """
    wires: list[Wire] = []
    for number, line in enumerate(dialog.read_text().splitlines(), 1):
        mark, _, text = line.partition(" ")
        where = f"{dialog.name}:{number}: {line}"
        if not line or mark == "#":
            continue
        if text.startswith("connect "):
            wires.append(Wire(product, text.split()[1]))
        elif mark == "@":
            act(wires[-1], text, where)
        elif mark == ">":
            wires[-1].send(text.encode() + b"\r\n")
        elif mark == ">>":
            wires[-1].send(text.encode("latin-1").decode("unicode_escape").encode("latin-1"))
        else:
            said = wires[-1].reply()
            holds = {"<": said.startswith(text), "<*": text in said, "<!": text not in said}[mark]
            assert holds, f"{where}\n  but the server said: {said!r}"
    for wire in wires:
        wire.close()


def act(wire: Wire, text: str, where: str) -> None:
    """Do what a line with ``@`` says."""
    if text == "starttls":
        wire.starttls()
    elif text.startswith("sign in "):
        assert wire.sign_in(PEOPLE[text.split()[2]]).startswith("235"), where
    else:
        assert text == "closed", f"{where}: not known"
        assert wire.reply() == "", where
