"""The connection under a session: admitted, greeted, encrypted, timed, written to and closed.

STARTTLS is `loop.start_tls` with the context that is in force at that moment; a connection that begins with TLS comes
from `smtpd.accepting` with its handshake done. There is no timer per command: a session has a `deadline`, and
`runtime.Sessions.sweep` ends those that missed it.
"""

from __future__ import annotations

import asyncio
import enum
import ssl
from typing import cast

from aiosmtpd.smtp import SMTP, Session

from mailadmin.policy.snapshot import ListenerPolicy
from smtpd import limits
from smtpd.runtime import Runtime
from smtpd.smtp import replies
from smtpd.smtp.lines import LineCutter


class Mode(enum.IntEnum):
    """What the next octets from the client are."""

    GREETING = 0  # nothing may come yet
    COMMAND = 1
    RESPONSE = 2  # of a SASL exchange
    MESSAGE = 3
    TLS = 4
    CLOSED = 5


class Connection(SMTP):
    """Everything about a connection that is not a command.

    Attributes:
        session: aiosmtpd's: peer, host_name, extended_smtp, authenticated, auth_data.
        address: the client's IP address.
        tls: protocol and cipher, once under TLS.
        deadline: the loop's time at which the session ends unless something happens.
    """

    session: Session

    def __init__(self, runtime: Runtime, listener: ListenerPolicy) -> None:
        # SMTP.__init__ inspects the class at each connection and makes a StreamReader; none of that is used here.
        self.loop = asyncio.get_running_loop()
        self.runtime = runtime
        self.listener = listener
        self.transport: asyncio.Transport | None = None
        self.session = Session(self.loop)
        self.address = ""
        self.tls = ""
        self.deadline = 0.0
        self._mode = Mode.GREETING
        self._input = LineCutter()
        self._out: list[bytes] = []
        self._busy = False  # a command waits for something
        self._write_blocked = False  # the client does not read
        self._hung_up = False  # the client will send no more
        self._last_reply = False  # the connection closes after what is in _out
        self._draining = False
        self._upgrading: asyncio.Task[None] | None = None
        self.reset()

    # --- what a subclass fills in -----------------------------------------------------------------------------------

    def reset(self) -> None:
        """Give up the message that is under way, if any."""

    def in_transaction(self) -> bool:
        """Say whether a message is under way."""
        return False

    def work_on(self) -> None:
        """Go on with the input."""

    def handshake_failed(self, error: BaseException) -> None:
        """A TLS handshake did not succeed."""

    # --- asyncio's side ---------------------------------------------------------------------------------------------

    def admit(self, peer: tuple[str, int] | tuple[str, int, int, int] | None) -> bool:
        """Count the client in; say whether there is room for it.

        Args:
            peer: the client's socket address.
        """
        self.session.peer = peer  # type: ignore[assignment]  # aiosmtpd says str and stores the same tuple
        self.address = peer[0].removeprefix("::ffff:").partition("%")[0] if peer else ""
        self.deadline = self.loop.time() + limits.COMMAND_TIME
        listener = self.listener
        sessions = self.runtime.sessions
        return not sessions.draining and sessions.admit(
            self,
            listener.name,
            self.address,
            most=listener.max_connections,
            most_per_address=listener.max_connections_per_address,
        )

    def leave(self) -> None:
        """Count the client out."""
        self.runtime.sessions.leave(self, self.listener.name, self.address)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet the client, if there is room for it; one that began with TLS was admitted before its handshake."""
        self.transport = cast("asyncio.Transport", transport)
        encrypted = transport.get_extra_info("ssl_object")
        if encrypted is not None:
            self._under_tls(encrypted)
            self._greet()
        elif self.admit(transport.get_extra_info("peername")):
            # Two turns of the loop: whatever was sent before the greeting is read in between, and known as such.
            self.loop.call_soon(self.loop.call_soon, self._greet)
        else:
            draining = self.runtime.sessions.draining
            self._out.append(replies.CLOSING if draining else replies.TOO_MANY_CONNECTIONS)
            self._close()

    def data_received(self, data: bytes) -> None:
        """Take octets from the client."""
        if self._mode == Mode.GREETING:
            self._out.append(replies.EARLY_TALKER)
            self._close()
            return
        pending = self._input
        pending.rest = pending.rest + data if pending.rest else data
        if not self._busy and not self._write_blocked:
            self.work_on()
        elif len(pending.rest) > limits.PENDING_INPUT and self.transport is not None:
            self.transport.pause_reading()

    def eof_received(self) -> bool | None:
        """Keep the way back open until everything the client had sent is answered (TLS cannot be half-closed)."""
        self._hung_up = True
        if self.tls or self._mode == Mode.TLS:
            return None
        if not self._busy:
            self._close()
        return True

    def connection_lost(self, error: Exception | None) -> None:
        """Count the session out; a message that had arrived whole goes on its way to the queue."""
        self._hung_up = True
        self.transport = None
        self._out.clear()
        self.leave()
        if not self._busy:
            self._end()

    def pause_writing(self) -> None:
        """Stop working for a client that does not read."""
        self._write_blocked = True
        self.deadline = self.loop.time() + limits.WRITE_TIME

    def resume_writing(self) -> None:
        """Go on."""
        self._write_blocked = False
        self.deadline = self.loop.time() + limits.COMMAND_TIME
        if not self._busy:
            self.loop.call_soon(self.work_on)

    # --- the registry's side ----------------------------------------------------------------------------------------

    def expire(self) -> None:
        """End the session: its deadline has passed."""
        if self._mode in {Mode.CLOSED, Mode.TLS}:
            self.abort()
            return
        self._out.append(replies.TEMPORARY if self._busy else replies.TIMEOUT)
        self._close()

    def drain(self) -> None:
        """End the session as soon as no message is under way."""
        self._draining = True
        if not self._busy and not self.in_transaction() and self._mode in {Mode.GREETING, Mode.COMMAND}:
            self._out.append(replies.CLOSING)
            self._close()

    def abort(self) -> None:
        """End the session now."""
        if self.transport is not None:
            self.transport.abort()

    # --- writing and closing ----------------------------------------------------------------------------------------

    def _settle(self) -> None:
        """Write the burst of replies at once, and end what is at its end."""
        out = self._out
        if out:
            if self.transport is not None:
                self.transport.write(out[0] if len(out) == 1 else b"".join(out))
            out.clear()
        if self._busy or self._mode == Mode.CLOSED:
            return
        if self.transport is None:
            self._end()
        elif self._hung_up:
            self._close()
        elif self._draining and not self.in_transaction():
            out.append(replies.CLOSING)
            self._close()

    def _close(self) -> None:
        """Write what is left to say and close; what has not been read stays unread."""
        self._mode = Mode.CLOSED
        self._input.rest = b""
        if self.transport is not None:
            if self._out:
                self.transport.write(b"".join(self._out))
            self.transport.close()
        self._out.clear()
        self.deadline = self.loop.time() + limits.WRITE_TIME

    def _end(self) -> None:
        """Let go of a message that did not arrive whole."""
        self._mode = Mode.CLOSED
        self.reset()

    # --- greeting and TLS -------------------------------------------------------------------------------------------

    def _greet(self) -> None:
        if self._mode == Mode.GREETING and self.transport is not None:
            self._mode = Mode.COMMAND
            self._out.append(replies.banner(self.runtime.snapshot.hostname))
            self._settle()

    def _start_tls(self) -> None:
        """Begin the handshake of STARTTLS."""
        if self.transport is None:
            return
        self._mode = Mode.TLS
        self.deadline = self.loop.time() + 2 * limits.HANDSHAKE_TIME
        self.transport.pause_reading()
        self._upgrading = self.loop.create_task(self._upgrade(self.transport))

    async def _upgrade(self, plain: asyncio.Transport) -> None:
        context = self.runtime.tls
        transport: asyncio.Transport | None = None
        try:
            if context is not None:
                transport = await self.loop.start_tls(
                    plain,
                    self,
                    context,
                    server_side=True,
                    ssl_handshake_timeout=limits.HANDSHAKE_TIME,
                    ssl_shutdown_timeout=limits.GOODBYE_TIME,
                )
        except (OSError, EOFError, RuntimeError) as error:
            # ssl.SSLError is an OSError; uvloop raises RuntimeError for a transport that closed meanwhile.
            self.handshake_failed(error)
        finally:
            self._upgrading = None
        if transport is None or self.transport is None:
            plain.abort()
            return
        self.transport = transport
        self._under_tls(transport.get_extra_info("ssl_object"))
        self._mode = Mode.COMMAND

    def _under_tls(self, encrypted: ssl.SSLObject) -> None:
        """Forget everything the client said in the clear (RFC 3207 §4.2)."""
        cipher = encrypted.cipher()
        self.tls = f"{encrypted.version()} {cipher[0] if cipher else ''}"
        peer = self.session.peer
        self.session = Session(self.loop)
        self.session.peer = peer
        self.session.ssl = {"ssl_object": encrypted}
        self._input.rest = b""
        self.reset()
        self.deadline = self.loop.time() + limits.COMMAND_TIME
