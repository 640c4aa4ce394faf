"""DATA and BDAT: the octets of a message come in, and a 250 goes out when they are on disk."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from mailadmin.policy.snapshot import ListenerPolicy
from mailadmin.queue.envelopes import NewMessage, queue_id
from smtpd import limits
from smtpd.runtime import Runtime
from smtpd.sessions.connection import Mode
from smtpd.sessions.engine import Answer, Engine, Work
from smtpd.sessions.intake import Intake
from smtpd.sessions.transaction import Transaction
from smtpd.smtp import headers, replies
from smtpd.smtp.data import ChunkReader, DataReader

_BDAT_WORDS: Final = 2
_BDAT_DIGITS: Final = 15


@lru_cache(maxsize=4)
def date_field(second: int) -> bytes:
    """Return the date field of a Unix second in local time; a busy server writes many in each."""
    return headers.date(datetime.fromtimestamp(second, UTC).astimezone())


class ReceivingSession(Engine):
    """Takes messages in; who may send what to whom is decided elsewhere.

    Attributes:
        envelope: what was said about the message under way.
        mechanism: what the client signed in by; empty where nobody signs in.
    """

    envelope: Transaction

    def __init__(self, runtime: Runtime, listener: ListenerPolicy) -> None:
        self.mechanism = ""
        self._intake: Intake | None = None
        self._framing: DataReader | ChunkReader | None = None
        self._since = 0.0  # when the message began to come
        super().__init__(runtime, listener)

    def reset(self) -> None:
        """Give up the message that is under way, if any."""
        if self._intake is not None:
            self._intake.give_up()
        self._begin_transaction()

    def in_transaction(self) -> bool:
        """Say whether a message is under way."""
        return self.envelope.mail_from is not None

    def judge(self, block: bytes) -> bytes:
        """Take the header block and return the one to keep; raise `replies.Refused`."""
        raise NotImplementedError

    def accepted(self) -> None:
        """A message is in the queue."""

    # --- commands ---------------------------------------------------------------------------------------------------

    def smtp_DATA(self, argument: bytes) -> Answer:
        """Take the message up to the line with a single dot (RFC 5321 §4.1.1.4)."""
        if argument:
            return replies.NO_ARGUMENT_ALLOWED
        if self._intake is not None:
            return replies.MIXED_DATA
        refusal = self._not_ready()
        if refusal is not None:
            return refusal
        if self._input.rest:
            # The message before the 354: a client that guesses our answers, or an attack by way of another protocol.
            self._last_reply = True
            return replies.UNAUTHORIZED_PIPELINING
        self._begin_intake()
        self._framing = DataReader()
        self._mode = Mode.MESSAGE
        return replies.START_DATA

    def smtp_BDAT(self, argument: bytes) -> Answer:
        """Take a chunk of the message (RFC 3030 §2)."""
        size, _, last = argument.partition(b" ")
        if not size.isdigit() or len(size) > _BDAT_DIGITS or last.strip().upper() not in {b"", b"LAST"}:
            # How many octets follow is not known, so what comes cannot be understood any more.
            self._last_reply = True
            return replies.BAD_CHUNK
        if not isinstance(self._framing, ChunkReader):
            refusal = self._not_ready()
            self._framing = ChunkReader()
            intake = self._begin_intake()
            if refusal is not None:
                # The octets come all the same; they are read and thrown away.
                intake.refuse(refusal)
        self._framing.expect(int(size), last=bool(last))
        self._mode = Mode.MESSAGE
        return self._message(self._input.rest) if size.strip(b"0") == b"" else None

    def _not_ready(self) -> bytes | None:
        if self.envelope.mail_from is None:
            return replies.MAIL_FIRST
        return None if self.envelope.recipients else replies.NO_VALID_RECIPIENTS

    # --- octets -----------------------------------------------------------------------------------------------------

    def message(self, octets: bytes) -> tuple[Answer, bytes]:
        """Take octets of the message."""
        intake, reader = self._intake, self._framing
        if intake is None or reader is None:
            return None, b""
        intake.take(reader.feed(octets))
        rest, reader.rest = reader.rest, b""
        if not reader.complete:
            self.deadline = self._since + limits.DATA_TIME + intake.received / limits.DATA_RATE
            return (intake.wait() if intake.must_wait else None), rest
        self._mode = Mode.COMMAND
        self.deadline = self.loop.time() + limits.COMMAND_TIME
        if not reader.finished:
            return intake.refusal or replies.chunk_taken(intake.received), rest
        intake.end(reader.lines)
        return self._finish(intake), rest

    def _finish(self, intake: Intake) -> Answer:
        if intake.refusal is None:
            return self._accept(intake)
        refusal = intake.refusal
        self.reset()
        return refusal

    def _accept(self, intake: Intake) -> Work:
        """Put the message into the queue; the promise is said when it is on disk."""
        message = self._new_message(intake)
        try:
            yield from intake.seal()
            if intake.refusal is None:
                yield self.runtime.store.commit(message)
        except BaseException:
            self.reset()
            raise
        refusal = intake.refusal
        self._begin_transaction()
        if refusal is not None:
            return refusal
        self.accepted()
        return replies.queued(queue_id(message.id))

    def _begin_transaction(self) -> None:
        self.envelope = Transaction()
        self._intake = None
        self._framing = None

    def _begin_intake(self) -> Intake:
        limit = self.runtime.snapshot.message_size_limit
        self._intake = intake = Intake(self.runtime.store, size_limit=limit, judge=self.judge)
        self.envelope.message = intake.id
        self._since = self.loop.time()
        return intake

    def _new_message(self, intake: Intake) -> NewMessage:
        envelope = self.envelope
        parameters = envelope.parameters
        return NewMessage(
            id=intake.id,
            sender=envelope.mail_from or "",
            recipients=envelope.recipients,
            size=intake.size,
            accepted_at=datetime.now(UTC),
            body=b"" if intake.chunks else intake.body,
            chunks=intake.chunks,
            account=envelope.account,
            message_id=envelope.message_id,
            smtputf8=parameters.smtputf8,
            eight_bit=intake.eight_bit,
            envid=parameters.envid,
            ret=parameters.ret,
            listener=self.listener.name,
            client=self.address,
            helo=self.session.host_name or "",
            mechanism=self.mechanism,
            tls=self.tls,
        )

    def received(self, *, client: bool) -> bytes:
        """Return our Received field for the message under way; `client` says whether it tells who the client is."""
        return headers.received(
            hostname=self.runtime.snapshot.hostname,
            queue_id=queue_id(self.envelope.message),
            date=date_field(int(self.runtime.clock())),
            protocol=headers.protocol(
                extended=self.session.extended_smtp,
                tls=bool(self.tls),
                authenticated=bool(self.session.authenticated),
                utf8=self.envelope.smtp_utf8,
            ),
            client=self.address if client else "",
            helo=(self.session.host_name or "") if client else "",
        )
