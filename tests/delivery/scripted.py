"""A mail server that does what a test tells it to, good or bad, over a real socket.

`Manners` says how it behaves; the default is a polite server that takes everything. A server runs in threads with
blocking sockets, so a script reads from top to bottom, and records every conversation as a `Talk`.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

PATIENCE = 10.0  # seconds after which a socket of ours gives up, so that no test hangs
HANG = b"HANG"  # instead of a reply: say nothing until the other side leaves
DROP = b"DROP"  # instead of a reply: hang up


@dataclass
class Talk:
    """One conversation as the server saw it."""

    commands: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)  # what followed DATA, up to and with the final dot
    unfinished: bytes = b""  # of a message that broke off
    tls: bool = False

    def said(self, verb: str) -> list[str]:
        """Return the commands that begin with `verb`."""
        return [command for command in self.commands if command.upper().startswith(verb)]


@dataclass
class Manners:
    """How a server behaves.

    Args:
        offers: EHLO keywords.
        banner: the greeting.
        replies: by the beginning of a command, in capitals; the longest match counts. A list is used up one by one, and
            its last entry stays.
        final: the replies after the message (several for LMTP); the same markers as elsewhere.
        early: hang up, or say this, after so many octets of the message.
        tls: the context for STARTTLS, or for TLS from the start where `implicit`.
        after_220: sent in clear right behind the 220 of STARTTLS.
        users: who may authenticate.
        slowly: send replies octet by octet with a pause of so many seconds.
        lmtp: speak LMTP.
    """

    offers: tuple[str, ...] = ("PIPELINING", "8BITMIME", "SMTPUTF8", "DSN", "SIZE 1000000", "ENHANCEDSTATUSCODES")
    banner: bytes = b"220 mx.test ESMTP\r\n"
    replies: dict[str, bytes | list[bytes]] = field(default_factory=dict)
    final: bytes | list[bytes] = b"250 2.0.0 queued as 1\r\n"
    early: tuple[int, bytes] | None = None
    tls: ssl.SSLContext | None = None
    implicit: bool = False
    after_220: bytes = b""
    users: dict[str, str] = field(default_factory=dict)
    slowly: float = 0
    lmtp: bool = False


class Hangup(Exception):  # noqa: N818  # the script's way to end
    """The conversation is over."""


class Peer:
    """The server's end of one connection."""

    def __init__(self, sock: socket.socket, talk: Talk, manners: Manners) -> None:
        self.sock = sock
        self.talk = talk
        self.manners = manners
        self._buffer = b""

    def say(self, reply: bytes) -> None:
        """Send a reply, or do what the marker instead of it says."""
        if reply == HANG:
            while self.sock.recv(65536):
                pass
            raise Hangup
        if reply == DROP:
            raise Hangup
        if not self.manners.slowly:
            self.sock.sendall(reply)
            return
        for octet in reply:
            self.sock.sendall(bytes([octet]))
            time.sleep(self.manners.slowly)

    def line(self) -> str:
        """Return the next command, and record it."""
        while b"\r\n" not in self._buffer:
            self._more()
        line, _, self._buffer = self._buffer.partition(b"\r\n")
        text = line.decode()
        self.talk.commands.append(text)
        return text

    def body(self) -> None:
        """Take a message, and record it."""
        body = b""
        while not (body.endswith(b"\r\n.\r\n") or body == b".\r\n"):
            if self.manners.early is not None and len(body) >= self.manners.early[0]:
                self.talk.unfinished = body
                self.say(self.manners.early[1])
                self.say(HANG)
            if not self._buffer:
                self.talk.unfinished = body
                self._more()
            end = b".\r\n" if not body and self._buffer.startswith(b".\r\n") else b"\r\n.\r\n"
            # The end may lie across two reads.
            joined = body + self._buffer
            at = joined.find(end, max(0, len(body) - 4))
            if at >= 0:
                body, self._buffer = joined[: at + len(end)], joined[at + len(end) :]
            else:
                body, self._buffer = joined, b""
        self.talk.unfinished = b""
        self.talk.bodies.append(body)

    def start_tls(self) -> None:
        """Turn to TLS."""
        assert self.manners.tls is not None
        self.sock = self.manners.tls.wrap_socket(self.sock, server_side=True)
        self.sock.settimeout(PATIENCE)
        self._buffer = b""
        self.talk.tls = True

    def _more(self) -> None:
        block = self.sock.recv(65536)
        if not block:
            raise Hangup
        self._buffer += block


def converse(peer: Peer) -> None:
    """Behave as the manners say, until the client leaves."""
    manners = peer.manners
    if manners.implicit:
        peer.start_tls()
    peer.say(manners.banner)
    accepted = 0
    while True:
        command = peer.line()
        verb = command.upper().split(" ")[0].split(":")[0]
        reply = _scripted(manners, command)
        if verb == "STARTTLS" and reply is None:
            peer.sock.sendall(b"220 2.0.0 go ahead\r\n" + manners.after_220)
            peer.start_tls()
            continue
        if verb == "AUTH" and reply is None:
            reply = _authenticate(peer, command)
        if reply is None:
            reply = _usual(peer, verb)
        peer.say(reply)
        accepted = _count(verb, reply, accepted)
        if verb == "DATA" and reply.startswith(b"354"):
            peer.body()
            finals = manners.final if isinstance(manners.final, list) else [manners.final]
            for final in finals if manners.lmtp else finals[:1]:
                peer.say(final)
        if verb == "QUIT":
            return


def _count(verb: str, reply: bytes, accepted: int) -> int:
    if verb == "RCPT" and reply.startswith(b"2"):
        return accepted + 1
    return 0 if verb in {"MAIL", "RSET"} else accepted


def _scripted(manners: Manners, command: str) -> bytes | None:
    matches = [beginning for beginning in manners.replies if command.upper().startswith(beginning)]
    if not matches:
        return None
    reply = manners.replies[max(matches, key=len)]
    if isinstance(reply, list):
        return reply.pop(0) if len(reply) > 1 else reply[0]
    return reply


def _usual(peer: Peer, verb: str) -> bytes:
    manners = peer.manners
    if verb in {"EHLO", "LHLO"}:
        if (verb == "LHLO") != manners.lmtp:
            return b"500 5.5.1 the other protocol\r\n"
        offers = [offer for offer in manners.offers if not (offer == "STARTTLS" and peer.talk.tls)]
        lines = ["mx.test", *offers]
        return b"".join(
            f"250{' ' if number == len(lines) - 1 else '-'}{line}\r\n".encode() for number, line in enumerate(lines)
        )
    return {
        "HELO": b"250 mx.test\r\n",
        "DATA": b"354 go ahead\r\n",
        "QUIT": b"221 2.0.0 bye\r\n",
    }.get(verb, b"250 2.0.0 ok\r\n")


def _authenticate(peer: Peer, command: str) -> bytes:
    import base64

    _, mechanism, *initial = command.split(" ")
    if mechanism == "PLAIN":
        _, login, password = base64.b64decode(initial[0]).decode().split("\0")
    else:
        peer.say(b"334 VXNlcm5hbWU6\r\n")
        login = base64.b64decode(peer.line()).decode()
        peer.say(b"334 UGFzc3dvcmQ6\r\n")
        password = base64.b64decode(peer.line()).decode()
    known = peer.manners.users.get(login) == password
    return b"235 2.7.0 welcome\r\n" if known else b"535 5.7.8 wrong user name or password\r\n"


Script = Callable[[Peer], None]


class ScriptedServer:
    """A listening server; every connection gets a thread."""

    def __init__(self, manners: Manners, script: Script, family: int) -> None:
        self.manners = manners
        self.talks: list[Talk] = []
        self.port = 0
        self._script = script
        self._listener = socket.socket(family)
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)

    def bind(self, address: str | tuple[str, int]) -> None:
        """Begin to listen."""
        self._listener.bind(address)
        self._listener.listen()
        if self._listener.family != socket.AF_UNIX:
            self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Listen no more."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            sock.settimeout(PATIENCE)
            talk = Talk()
            self.talks.append(talk)
            threading.Thread(target=self._serve, args=(sock, talk), daemon=True).start()

    def _serve(self, sock: socket.socket, talk: Talk) -> None:
        peer = Peer(sock, talk, self.manners)
        # The client may leave at any moment, and TLS may fail by intent.
        with suppress(Hangup, OSError):
            self._script(peer)
        with suppress(OSError):
            peer.sock.shutdown(socket.SHUT_RDWR)
        peer.sock.close()


@contextmanager
def server(
    manners: Manners | None = None, script: Script = converse, *, host: str = "127.0.0.1", port: int = 0
) -> Generator[ScriptedServer, None, None]:
    """Run a server at `host`."""
    running = ScriptedServer(manners or Manners(), script, socket.AF_INET6 if ":" in host else socket.AF_INET)
    running.bind((host, port))
    try:
        yield running
    finally:
        running.close()


@contextmanager
def unix_server(path: str, manners: Manners) -> Generator[ScriptedServer, None, None]:
    """Run a server on a unix socket."""
    running = ScriptedServer(manners, converse, socket.AF_UNIX)
    running.bind(path)
    try:
        yield running
    finally:
        running.close()
