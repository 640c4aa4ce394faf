"""The octets of one outgoing connection: an asyncio protocol with replies in, blocks out, and a limit on both.

Replies are parsed only when somebody waits for one. What arrives meanwhile is kept up to `_MOST_WAITING` octets, then
the socket is no longer read: a server that floods us fills its own buffers.
"""

from __future__ import annotations

import asyncio
import errno
import os
import ssl
from typing import Final, cast

from smtpd.smtp.client_actions import STAGES, Step, Trouble
from smtpd.smtp.client_replies import BadReplyError, Reply, ReplyReader

from .tls import description, handshake_trouble

# More than the longest reply (100 lines of 4 KiB), so that a complete one always fits.
_MOST_WAITING: Final = 512 * 1024
_AWAITED: Final[dict[Step, str]] = {
    "banner": "its greeting",
    "hello": "its answer to EHLO",
    "starttls": "its answer to STARTTLS",
    "auth": "its answer to AUTH",
    "reset": "its answer to RSET",
    "mail": "its answer to MAIL",
    "rcpt": "its answer to RCPT",
    "data": "its answer to DATA",
    "final": "its answer to the whole message",
}
_DUPLICATE: Final = " It may have taken the message all the same; then the next try delivers it twice."


class Wire(asyncio.Protocol):
    """One connection. Every method that waits takes its limit in seconds and raises `Trouble` when that is over."""

    def __init__(self) -> None:
        self._replies = ReplyReader()
        self._transport: asyncio.Transport | None = None
        self._arrival: asyncio.Future[None] | None = None
        self._drained: asyncio.Future[None] | None = None
        self._reading = True
        self._full = False
        self.closed = False  # by either side; replies that came before that can still be read

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection stands."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Keep what arrived."""
        self._replies.feed(data)
        if self._reading and self._replies.waiting > _MOST_WAITING and self._transport is not None:
            self._transport.pause_reading()
            self._reading = False
        _wake(self._arrival)

    def eof_received(self) -> None:
        """The server sends nothing more: as good as closed, and returning nothing lets the transport close."""
        self._over()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone, whichever way."""
        del exc
        self._over()

    def pause_writing(self) -> None:
        """Too much waits to be sent."""
        self._full = True

    def resume_writing(self) -> None:
        """The network has caught up."""
        self._full = False
        _wake(self._drained)

    def _over(self) -> None:
        self.closed = True
        _wake(self._arrival)
        _wake(self._drained)

    # What the dialogue calls.

    @property
    def anything_waiting(self) -> bool:
        """Whether octets have arrived that nobody has read."""
        return self._replies.waiting > 0

    @property
    def ssl_object(self) -> ssl.SSLObject | None:
        """The TLS side of the connection, where there is one."""
        return self._transport.get_extra_info("ssl_object") if self._transport is not None else None

    async def send(self, data: bytes, step: Step, seconds: float) -> None:
        """Hand over `data`; wait until no more than a block is unsent.

        A server that hung up with a reply still unread is not complained of here: the reply says why.
        """
        if self._transport is None or self.closed:
            if not self.anything_waiting:
                raise _closed(step)
            return
        self._transport.write(data)
        if not self._full:
            return
        self._drained = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(seconds):
                await self._drained
        except TimeoutError:
            words = f"The server took nothing more for {seconds:.0f} seconds."
            raise Trouble(STAGES[step], words, reason="timeout") from None
        finally:
            self._drained = None

    async def receive(self, step: Step, seconds: float) -> Reply:
        """Return the next reply."""
        try:
            async with asyncio.timeout(seconds):
                return await self._next_reply(step)
        except TimeoutError:
            words = f"The server kept us waiting for {_AWAITED[step]} for more than {seconds:.0f} seconds."
            raise Trouble(STAGES[step], words + _after(step), reason="timeout") from None
        except BadReplyError as error:
            words = f"The server's answer cannot be understood: {error}."
            raise Trouble(STAGES[step], words + _after(step), "4.5.0", reason="garbage") from None

    async def _next_reply(self, step: Step) -> Reply:
        while True:
            reply = self._replies.next()
            if not self._reading and self._replies.waiting <= _MOST_WAITING and self._transport is not None:
                self._reading = True
                self._transport.resume_reading()
            if reply is not None:
                return reply
            if self.closed:
                raise _closed(step)
            self._arrival = asyncio.get_running_loop().create_future()
            try:
                await self._arrival
            finally:
                self._arrival = None

    async def start_tls(self, context: ssl.SSLContext, name: str, seconds: float) -> str:
        """Begin TLS and return protocol and cipher.

        Args:
            context: see `tls`.
            name: for SNI, and what the certificate must be for where the context checks that.
            seconds: limit of the handshake.
        """
        if self.anything_waiting:
            # RFC 3207 §4.2 and its injection attack: what came in clear would be read as if TLS had protected it.
            words = "The server sent something in clear where TLS begins: somebody on the way may be tampering."
            raise Trouble("tls", words, "4.7.5", reason="injected")
        if self._transport is None or self.closed:
            raise _closed("starttls")
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(seconds):
                transport = await loop.start_tls(self._transport, self, context, server_hostname=name.rstrip("."))
        except (OSError, ValueError) as error:  # SSLError and TimeoutError are OSErrors
            self.abort()
            raise handshake_trouble(error, name) from error
        self._transport = transport
        return description(self.ssl_object)

    def leave(self, seconds: float = 5) -> None:
        """Say QUIT and close; whatever is not over after `seconds` is cut off."""
        if self._transport is None or self.closed:
            return self.abort()
        self._transport.write(b"QUIT\r\n")
        self._transport.close()
        asyncio.get_running_loop().call_later(seconds, self.abort)
        return None

    def abort(self) -> None:
        """Cut the connection."""
        self.closed = True
        if self._transport is not None:
            self._transport.abort()


async def connect(address: str, port: int, seconds: float) -> Wire:
    """Open a connection to an IP address and port, or to a unix socket where `port` is 0.

    Raises:
        Trouble: it cannot be reached.
    """
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(seconds):
            if port:
                _, wire = await loop.create_connection(Wire, address, port)
            else:
                _, wire = await loop.create_unix_connection(Wire, address)
    except TimeoutError:
        words = f"No answer to the attempt to connect within {seconds:.0f} seconds."
        raise Trouble("connect", words, "4.4.1", reason="timeout") from None
    except (OSError, ValueError) as error:
        raise _unreachable(error) from error
    return wire


def _unreachable(error: OSError | ValueError) -> Trouble:
    number = error.errno if isinstance(error, OSError) else None
    if number == errno.ECONNREFUSED:
        return Trouble("connect", "The connection was refused: nothing listens there.", "4.4.1", reason="refused")
    words = os.strerror(number) if number and number > 0 else str(error)
    return Trouble("connect", f"Cannot connect: {words}.", "4.4.1", reason="unreachable")


def _closed(step: Step) -> Trouble:
    words = f"The server hung up instead of giving {_AWAITED[step]}."
    return Trouble(STAGES[step], words + _after(step), reason="closed")


def _after(step: Step) -> str:
    return _DUPLICATE if step == "final" else ""


def _wake(future: asyncio.Future[None] | None) -> None:
    if future is not None and not future.done():
        future.set_result(None)
