"""Drives the sans-IO dialogues over a real connection: one server, its session, the messages that go over it.

`Connection.run` plays any dialogue of `smtpd.smtp.client…`: it performs each action within its time limit and throws
`Trouble` into the dialogue when the network fails. The body is streamed: a few chunks of it are in memory at any time.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from typing import TypeVar

import structlog

from smtpd.smtp.client import Plan, Session, open_session
from smtpd.smtp.client_actions import (
    STAGES,
    Action,
    Answer,
    Dialogue,
    Receive,
    Secured,
    Send,
    SendBody,
    StartTls,
    Trouble,
)
from smtpd.smtp.client_features import Features
from smtpd.smtp.client_replies import Reply
from smtpd.smtp.dot_stuffing import DotStuffer

from .agent import Body
from .targets import Target, addresses
from .timeouts import Timeouts
from .tls import Contexts
from .wire import Wire, connect

_T = TypeVar("_T")
log = structlog.get_logger("smtpd.delivery")


class Connection:
    """An open connection and what is known of the server behind it.

    Attributes:
        peer: who answers, with the address.
        features: what the server offered last.
        tls: protocol and cipher, or empty.
        messages: how many transactions it has carried.
        dirty: the next transaction must begin with RSET.
        deadline: the loop's time, in seconds, after which no new wait begins.
    """

    def __init__(
        self, wire: Wire, target: Target, *, address: str, timeouts: Timeouts, contexts: Contexts, deadline: float
    ) -> None:
        self._wire = wire
        self._address = address
        self.peer = target.peer(address)
        self._target = target
        self._timeouts = timeouts
        self._contexts = contexts
        self.deadline = deadline
        self.features = Features()
        self.tls = ""
        self.messages = 0
        self.dirty = False

    @classmethod
    async def to(cls, target: Target, *, timeouts: Timeouts, contexts: Contexts, deadline: float) -> Connection:
        """Connect, without a word being said yet.

        Raises:
            Trouble: the server cannot be reached.
        """
        trouble = Trouble("connect", "The server has no address.", "4.4.1")
        seconds = _remaining(timeouts.connect, deadline, "resolve")
        for address in await addresses(target, seconds):
            try:
                seconds = _remaining(timeouts.connect, deadline, "connect")
                wire = await connect(address, target.port, seconds)
            except Trouble as met:
                trouble = met
                trouble.peer = target.peer(address)
                continue
            return cls(wire, target, address=address, timeouts=timeouts, contexts=contexts, deadline=deadline)
        raise trouble

    async def again(self, target: Target) -> Connection:
        """Open another connection to the same address, for another way of speaking.

        Raises:
            Trouble: the server cannot be reached any more.
        """
        there = replace(target, address=self._address)
        return await self.to(there, timeouts=self._timeouts, contexts=self._contexts, deadline=self.deadline)

    @property
    def closed(self) -> bool:
        """Whether the server hung up."""
        return self._wire.closed

    @property
    def ssl_object(self) -> ssl.SSLObject | None:
        """The TLS side of the connection, where there is one."""
        return self._wire.ssl_object

    async def open(self, hostname: str) -> None:
        """Open the session: TLS, greeting, EHLO, AUTH as the target wants it.

        Args:
            hostname: our name.

        Raises:
            Trouble: it could not be opened; the connection is cut.
        """
        target = self._target
        plan = Plan(hostname, target.tls, target.username, target.password, lmtp=target.lmtp)
        if target.tls == "implicit":
            await self.secure()
        session: Session = await self.run(open_session(plan))
        self.features = session.features

    async def secure(self) -> str:
        """Begin TLS now; return protocol and cipher.

        Raises:
            Trouble: the handshake failed, or the certificate is not good enough for this target.
        """
        if self._target.tls in {"starttls", "implicit"}:
            context = await self._contexts.verified(self._target.ca_pem)
        else:
            context = await self._contexts.unverified()
        seconds = _remaining(self._timeouts.tls, self.deadline, "tls")
        self.tls = await self._wire.start_tls(context, self._target.name, seconds)
        return self.tls

    async def run(self, dialogue: Dialogue[_T], body: Body | None = None) -> _T:
        """Play `dialogue` and return its result.

        Args:
            dialogue: any of `smtpd.smtp`'s outgoing ones.
            body: the message, for a dialogue that sends one.

        Raises:
            Trouble: as the dialogue raises it; `peer` and `tls` are filled in.
        """
        try:
            action = next(dialogue)
            while True:
                try:
                    answer = await self._perform(action, body)
                except Trouble as trouble:
                    self._sign(trouble)
                    action = dialogue.throw(trouble)
                else:
                    action = dialogue.send(answer)
        except StopIteration as end:
            result: _T = end.value
            return result
        except Trouble as trouble:
            self._sign(trouble)
            raise
        finally:
            dialogue.close()

    async def _perform(self, action: Action, body: Body | None) -> Answer:
        match action:
            case Send(data, step):
                await self._wire.send(data, step, _remaining(self._timeouts.block, self.deadline, STAGES[step]))
                return None
            case Receive(step):
                seconds = self._timeouts.step(step)
                if step != "final":
                    seconds = _remaining(seconds, self.deadline, STAGES[step])
                return await self._wire.receive(step, seconds)
            case StartTls():
                return Secured(await self.secure())
            case SendBody():
                if body is None:
                    raise TypeError("this dialogue needs a body")
                return await self._send_body(body)

    async def _send_body(self, body: Body) -> Reply | None:
        """Stream the message and the final dot; stop when the server answers or hangs up before that."""
        wire = self._wire
        stuffer = DotStuffer()
        async with aclosing(guarded(body)) as chunks:
            async for chunk in chunks:
                seconds = _remaining(self._timeouts.block, self.deadline, "data")
                await wire.send(stuffer.feed(chunk), "data", seconds)
                # Chunks may come without a pause (from memory): let the loop see what the server says meanwhile.
                await asyncio.sleep(0)
                if wire.anything_waiting or wire.closed:
                    return await wire.receive("data", seconds)
        await wire.send(stuffer.finish(), "data", _remaining(self._timeouts.block, self.deadline, "data"))
        return None

    def _sign(self, trouble: Trouble) -> None:
        trouble.peer = trouble.peer or self.peer
        trouble.tls = trouble.tls or self.tls

    def leave(self) -> None:
        """Say QUIT and close."""
        self._wire.leave()

    def abort(self) -> None:
        """Cut the connection."""
        self._wire.abort()


async def opened(
    target: Target, hostname: str, *, timeouts: Timeouts, contexts: Contexts, deadline: float
) -> Connection:
    """Connect and open the session; opportunistic TLS that fails is followed by a new connection in clear.

    Args:
        target: the server.
        hostname: our name.
        timeouts: the limits.
        contexts: for TLS.
        deadline: the loop's time, in seconds, after which no new wait begins.

    Raises:
        Trouble: the server cannot be reached, or no session be opened.
    """

    async def attempt(there: Target) -> Connection:
        connection = await Connection.to(there, timeouts=timeouts, contexts=contexts, deadline=deadline)
        try:
            await connection.open(hostname)
        except BaseException:
            connection.abort()
            raise
        return connection

    try:
        return await attempt(target)
    except Trouble as trouble:
        if target.tls != "opportunistic" or trouble.stage != "tls" or trouble.reason == "injected":
            raise
        log.info("going on without TLS", peer=target.peer(), words=trouble.words)
    return await attempt(replace(target, tls="none"))


async def guarded(body: Body) -> AsyncGenerator[bytes, None]:
    """Give the chunks of the message; a store that fails becomes `Trouble`, and the message stays unfinished."""
    chunks = body()
    try:
        async for chunk in chunks:
            yield chunk
    except Exception as error:
        log.exception("the stored message cannot be read")
        words = "The stored message could not be read; the daemon's log says why."
        raise Trouble("data", words, "4.3.0", reason="store") from error
    finally:
        if isinstance(chunks, AsyncGenerator):
            await chunks.aclose()


def _remaining(seconds: float, deadline: float, stage: str) -> float:
    """Return the shorter of a stage's limit and what is left of the whole delivery's time.

    Raises:
        Trouble: nothing is left.
    """
    left = deadline - asyncio.get_running_loop().time()
    if left <= 0:
        raise Trouble(stage, "The time for one delivery ran out; the server is too slow.", "4.4.7", reason="timeout")
    return min(seconds, left)
