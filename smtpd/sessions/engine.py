"""The machinery of a session: octets in, commands out, replies back in one write.

aiosmtpd's `SMTP` runs a task per connection that awaits line after line from a StreamReader. Here `data_received` does
the work itself: it cuts what came into lines, calls the method of each command, gathers the replies of the whole burst
and writes them at once. A method returns

* ``bytes``: the reply,
* ``None``: no reply (yet),
* a generator: there is something to wait for. It yields Futures, gets their results, and returns the reply. While it
  waits the session is *busy*: nothing more is read from the input, and past `limits.PENDING_INPUT` nothing from the
  socket, so the order of commands and replies is the client's.

A client that hangs up does not cancel what it has begun: a message that had arrived whole is still committed.
"""

from __future__ import annotations

import logging
import secrets
from asyncio import Future
from collections.abc import Callable, Generator
from typing import Any, ClassVar, Final

from aiosmtpd.smtp import SMTP

from mailadmin.policy.snapshot import ListenerPolicy
from smtpd import limits
from smtpd.runtime import Runtime
from smtpd.sessions.connection import Connection, Mode
from smtpd.smtp import replies
from smtpd.smtp.lines import Fault
from smtpd.storage.errors import UnavailableError

log = logging.getLogger("smtpd.session")

Work = Generator["Future[Any]", Any, bytes | None]
Answer = bytes | Work | None
Command = Callable[[Any, bytes], Answer]

# Browsers that a web page sends to a mail port; their lines are never commands (RFC 5321 has none of these names).
_HTTP: Final = frozenset({b"GET", b"POST", b"PUT", b"HEAD", b"OPTIONS", b"CONNECT", b"DELETE", b"PATCH"})
_PERMANENT: Final = ord("5")


class Engine(Connection):
    """Reads and dispatches; knows no command of its own."""

    COMMANDS: ClassVar[dict[bytes, Command]] = {}

    def __init_subclass__(cls) -> None:
        """Find the commands once per class: every ``smtp_NAME`` that is not aiosmtpd's own."""
        super().__init_subclass__()
        cls.COMMANDS = {
            name.removeprefix("smtp_").encode(): getattr(cls, name)
            for name in dir(cls)
            if name.startswith("smtp_") and getattr(cls, name) is not getattr(SMTP, name, None)
        }

    def __init__(self, runtime: Runtime, listener: ListenerPolicy) -> None:
        super().__init__(runtime, listener)
        self._errors = 0
        self._working = False

    # --- what a subclass fills in -----------------------------------------------------------------------------------

    def response(self, line: bytes) -> Answer:
        """Take a line of a SASL exchange."""
        raise NotImplementedError

    def message(self, octets: bytes) -> tuple[Answer, bytes]:
        """Take octets of a message; return the answer and what of them belongs to the next command."""
        raise NotImplementedError

    # --- the input --------------------------------------------------------------------------------------------------

    def work_on(self) -> None:
        """Work through the input until it is used up or something must be waited for; then write the replies."""
        if self._working:
            return
        self._working = True
        pending = self._input
        while pending.rest and not self._busy and not self._write_blocked:
            mode = self._mode
            if mode == Mode.COMMAND:
                if not self._read(limits.COMMAND_LINE, self._command, replies.LINE_TOO_LONG):
                    break
            elif mode == Mode.MESSAGE:
                self._run(self._message, pending.rest)
            elif mode == Mode.RESPONSE:
                if not self._read(limits.SASL_LINE, self.response, replies.AUTH_LINE_TOO_LONG):
                    break
            else:
                pending.rest = b""
        self._working = False
        self._settle()

    def _read(self, limit: int, method: Callable[[bytes], Answer], too_long: bytes) -> bool:
        """Take the next line of the input, if it is there; say whether it was."""
        line = self._input.next(limit)
        if line is None:
            return False
        self.deadline = self.loop.time() + limits.COMMAND_TIME
        if type(line) is bytes:
            self._run(method, line)
            return True
        # Whatever exchange was under way is over.
        self._mode = Mode.COMMAND
        self._last_reply = self._last_reply or line is Fault.HOPELESS
        self._answer(replies.BARE_LF if line is Fault.BARE else too_long)
        return True

    def _command(self, line: bytes) -> Answer:
        verb, _, argument = line.partition(b" ")
        command = self.COMMANDS.get(verb) or self.COMMANDS.get(verb.upper())
        if command is not None:
            return command(self, argument)
        self._last_reply = self._last_reply or verb.upper() in _HTTP
        return replies.UNKNOWN_COMMAND

    def _message(self, octets: bytes) -> Answer:
        answer, self._input.rest = self.message(octets)
        return answer

    # --- answers ----------------------------------------------------------------------------------------------------

    def _run(self, method: Callable[[bytes], Answer], argument: bytes) -> None:
        """Call `method` and see to its answer; no fault of ours reaches the client but as an incident."""
        try:
            answer = method(argument)
        except Exception as error:  # noqa: BLE001  # whatever it is, the client gets a reply and the log the rest
            answer = self._reply_to(error)
        if answer is None:
            return
        if isinstance(answer, bytes):
            self._answer(answer)
            return
        self._busy = True
        self._step(answer, None)
        if self._busy:
            self.deadline = self.loop.time() + limits.COMMIT_TIME

    def _step(self, work: Work, done: Future[Any] | None) -> None:
        """Let `work` go on with the result of `done`, as far as it goes without waiting."""
        answer: bytes | None
        try:
            while True:
                if done is None:
                    future = work.send(None)
                elif (error := done.exception()) is not None:
                    future = work.throw(error)
                else:
                    future = work.send(done.result())
                if not future.done():
                    future.add_done_callback(lambda ready: self._resume(work, ready))
                    return
                done = future
        except StopIteration as end:
            answer = end.value
        except Exception as error:  # noqa: BLE001  # as in _run
            answer = self._reply_to(error)
        self._busy = False
        if answer is not None:
            self._answer(answer)

    def _resume(self, work: Work, ready: Future[Any]) -> None:
        if ready.cancelled():
            ready = self.loop.create_future()
            ready.set_exception(UnavailableError("the work was cancelled"))
        self._step(work, ready)
        if self._busy:
            return
        self.deadline = self.loop.time() + limits.COMMAND_TIME
        if self.transport is not None:
            self.transport.resume_reading()
        self.work_on()

    def _answer(self, reply: bytes) -> None:
        """Send `reply` with the burst; after the last one, or too many errors, close."""
        self._out.append(reply)
        if reply[0] == _PERMANENT:
            self._errors += 1
            if self._errors >= limits.ERRORS and not self._last_reply:
                self._out.append(replies.TOO_MANY_ERRORS)
                self._last_reply = True
        if self._last_reply:
            self._close()

    def _reply_to(self, error: Exception) -> bytes:
        """Return the reply to what a command raised; a fault of ours is only named by an id that the log has."""
        if isinstance(error, replies.Refused):
            return error.reply
        if isinstance(error, UnavailableError):
            return replies.DISK_FULL if error.full else replies.DATABASE_DOWN
        incident = secrets.token_hex(4)
        log.error("incident %s on %s from %s", incident, self.listener.name, self.address, exc_info=error)
        return replies.fault(incident)
