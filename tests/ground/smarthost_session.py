"""The dialogue of `tests.ground.smarthost`: one object per connection, faults looked up at each stage."""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import ssl
from typing import Final

from tests.ground.smarthost import Fault, Ledger, Stage, Stored, Terms, utc_now

END: Final = b"\r\n.\r\n"


class _Gone(Exception):  # noqa: N818  # not an error: the end of the dialogue
    """The connection ends here."""


class Session:
    """One connection."""

    def __init__(
        self,
        terms: Terms,
        ledger: Ledger,
        context: ssl.SSLContext,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        """Take over a new connection."""
        self._terms = terms
        self._ledger = ledger
        self._context = context
        self._reader = reader
        self._writer = writer
        self._number = ledger.connections
        self._buffer = bytearray()
        self._helo = ""
        self._login = ""
        self._clear()

    def _clear(self) -> None:
        self._sender: str | None = None
        self._sender_parameters: tuple[str, ...] = ()
        self._recipients: list[tuple[str, tuple[str, ...]]] = []

    @property
    def _tls(self) -> str:
        tls = self._writer.get_extra_info("ssl_object")
        return str(tls.version()) if tls else ""

    async def run(self) -> None:
        """Hold the dialogue to its end."""
        try:
            await self._fail("connect")
            if not await self._fail("banner"):
                await self._say("220 smarthost.example.net ESMTP")
            while line := await self._line():
                command = line.decode("utf-8", "surrogateescape").rstrip("\r\n")
                self._ledger.commands.append(command)
                await self._obey(command)
        except (_Gone, ConnectionError, ssl.SSLError, asyncio.IncompleteReadError):
            pass
        finally:
            self._writer.close()
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                await self._writer.wait_closed()

    async def _fill(self) -> None:
        block = await self._reader.read(1 << 18)
        if not block:
            raise _Gone
        self._buffer += block

    async def _line(self) -> bytes:
        while (end := self._buffer.find(b"\n") + 1) == 0:
            await self._fill()
        line = bytes(self._buffer[:end])
        del self._buffer[:end]
        return line

    async def _say(self, *lines: str) -> None:
        for position, line in enumerate(lines):
            code, _, text = line.partition(" ")
            more = position < len(lines) - 1
            self._writer.write(f"{code}{'-' if more else ' '}{text}\r\n".encode())
        await self._writer.drain()

    async def _fail(self, stage: Stage, address: str = "") -> bool:
        """Do what the fault that is due at `stage` wants; say whether the stage has had its reply by that."""
        fault = self._ledger.fault(stage, address)
        return fault is not None and await self._commit(fault)

    async def _commit(self, fault: Fault) -> bool:
        if fault.action == "hang":
            await asyncio.Event().wait()
        if fault.action == "drop":
            raise _Gone
        if fault.action == "refuse":
            await self._say(fault.reply)
            if fault.reply.startswith("421"):
                raise _Gone
            return True
        return False

    async def _obey(self, command: str) -> None:
        verb, _, argument = command.partition(" ")
        method = {
            "EHLO": self._ehlo,
            "HELO": self._ehlo,
            "STARTTLS": self._starttls,
            "AUTH": self._auth,
            "MAIL": self._mail,
            "RCPT": self._rcpt,
            "DATA": self._data,
            "RSET": self._rset,
            "NOOP": self._noop,
            "QUIT": self._quit,
        }.get(verb.upper())
        if method is None:
            await self._say("502 5.5.1 unknown command")
        else:
            await method(argument)

    async def _ehlo(self, argument: str) -> None:
        self._helo = argument
        self._clear()
        if await self._fail("helo"):
            return
        offers = list(self._terms.extensions)
        if self._terms.tls == "starttls" and not self._tls:
            offers.append("STARTTLS")
        if self._terms.login and (self._tls or self._terms.tls == "none"):
            offers.append("AUTH " + " ".join(self._terms.mechanisms))
        await self._say(f"250 smarthost.example.net greets {argument}", *(f"250 {offer}" for offer in offers))

    async def _starttls(self, _argument: str) -> None:
        fault = self._ledger.fault("starttls")
        if fault is not None and await self._commit(fault):
            return
        await self._say("220 2.0.0 go ahead")
        if fault is not None:  # a lie: no handshake comes
            self._writer.write(b"250 2.0.0 clear text after all\r\n" * 3)
            return
        self._buffer.clear()
        await self._writer.start_tls(self._context, ssl_handshake_timeout=10)
        self._clear()

    async def _challenge(self, text: bytes) -> bytes:
        await self._say("334 " + base64.b64encode(text).decode("ascii"))
        return base64.b64decode((await self._line()).strip())

    async def _auth(self, argument: str) -> None:
        if await self._fail("auth"):
            return
        mechanism, _, initial = argument.partition(" ")
        try:
            if mechanism.upper() == "PLAIN":
                answer = base64.b64decode(initial) if initial else await self._challenge(b"")
                _, user, password = answer.split(b"\0")
            else:
                user = base64.b64decode(initial) if initial else await self._challenge(b"Username:")
                password = await self._challenge(b"Password:")
        except (binascii.Error, ValueError):
            await self._say("501 5.5.2 cannot read that")
            return
        if (user.decode(), password.decode()) != self._terms.login:
            await self._say("535 5.7.8 user name or password is wrong")
            return
        self._login = user.decode()
        await self._say("235 2.7.0 welcome")

    async def _mail(self, argument: str) -> None:
        if await self._fail("mail"):
            return
        if self._terms.login and not self._login:
            await self._say("530 5.7.0 sign in first")
            return
        path, *parameters = argument.split(" ")
        self._sender = path[path.index("<") + 1 : -1]
        self._sender_parameters = tuple(parameters)
        await self._say("250 2.1.0 sender taken")

    async def _rcpt(self, argument: str) -> None:
        path, *parameters = argument.split(" ")
        address = path[path.index("<") + 1 : -1]
        if await self._fail("rcpt", address):
            return
        self._recipients.append((address, tuple(parameters)))
        await self._say("250 2.1.5 recipient taken")

    async def _data(self, _argument: str) -> None:
        if await self._fail("data"):
            return
        if self._sender is None or not self._recipients:
            await self._say("554 5.5.1 no recipients")
            return
        await self._say("354 go on")
        data = await self._read_data()
        fault = self._ledger.fault("dot")
        if fault is None or fault.kept:
            self._store(data)
        self._clear()
        if fault is None or not await self._commit(fault):
            await self._say("250 2.0.0 stored")

    async def _read_data(self) -> bytes:
        """Return the message: everything to the final dot, with doubled dots made single."""
        self._buffer[:0] = b"\r\n"  # as if a line had just ended, so that a dot on the first line counts
        searched = 0
        while (end := self._buffer.find(END, searched)) < 0:
            searched = max(0, len(self._buffer) - len(END) + 1)
            await self._fill()
            await self._fail("body")
        data = bytes(self._buffer[2 : end + 2])
        del self._buffer[: end + len(END)]
        return data.removeprefix(b".").replace(b"\r\n.", b"\r\n")

    def _store(self, data: bytes) -> None:
        self._ledger.store(
            Stored(
                sender=self._sender or "",
                sender_parameters=self._sender_parameters,
                recipients=tuple(address for address, _ in self._recipients),
                recipient_parameters=tuple(parameters for _, parameters in self._recipients),
                data=data if self._terms.keep else b"",
                helo=self._helo,
                tls=self._tls,
                login=self._login,
                connection=self._number,
                at=utc_now(),
            )
        )

    async def _rset(self, _argument: str) -> None:
        self._clear()
        await self._say("250 2.0.0 forgotten")

    async def _noop(self, _argument: str) -> None:
        await self._say("250 2.0.0 here")

    async def _quit(self, _argument: str) -> None:
        if not await self._fail("quit"):
            await self._say("221 2.0.0 bye")
        raise _Gone
