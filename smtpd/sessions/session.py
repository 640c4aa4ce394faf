"""The commands that every listener speaks: greeting, MAIL, RCPT, and the small ones.

What a listener allows is in a few methods that its class fills in: `keywords`, `sender`, `recipient` and `judge`.
Methods keep aiosmtpd's names (``smtp_MAIL``); they return their reply as `smtpd.sessions.engine` says.
"""

from __future__ import annotations

import logging
import ssl
from asyncio import Future
from collections.abc import Callable, Generator
from functools import lru_cache
from typing import Final, TypeVar

from mailadmin.policy.snapshot import DomainPolicy, ListenerPolicy
from mailadmin.queue.envelopes import NewRecipient
from smtpd import limits
from smtpd.delivery.verification import Finding
from smtpd.identity import AccountRow
from smtpd.runtime import Runtime
from smtpd.sessions.engine import Answer, Work
from smtpd.sessions.receiving import ReceivingSession
from smtpd.smtp import replies
from smtpd.smtp.parameters import MailParameters, RcptParameters, mail_parameters, rcpt_parameters
from smtpd.smtp.paths import Path, parse_mail, parse_rcpt

log = logging.getLogger("smtpd.session")

T = TypeVar("T")
_MAX_HELO: Final = 255

_ehlo = lru_cache(maxsize=128)(replies.ehlo)


def later(answer: T | Future[T], then: Callable[[T], Answer]) -> Answer:
    """Return `then` of `answer`: at once where the store answers at once, as work where it must be waited for."""
    if isinstance(answer, Future):
        return _later(answer, then)
    return then(answer)


def _later(answer: Future[T], then: Callable[[T], Answer]) -> Work:
    result = then((yield answer))
    if isinstance(result, Generator):
        return (yield from result)
    return result


class SmtpSession(ReceivingSession):
    """One connection of a mail client or another server."""

    def __init__(self, runtime: Runtime, listener: ListenerPolicy) -> None:
        super().__init__(runtime, listener)
        self._messages = 0
        self._idle_commands = 0

    def accepted(self) -> None:
        """A message is in the queue: the client is not idle."""
        self._idle_commands = 0

    # --- what a listener's class fills in ---------------------------------------------------------------------------

    def keywords(self) -> tuple[str, ...]:
        """Return what EHLO offers beside what every listener offers, but for STARTTLS."""
        return ()

    def sender(self, path: Path, parameters: MailParameters) -> Answer:
        """Decide on MAIL; call `accept_sender` or return a refusal."""
        raise NotImplementedError

    def recipient(self, path: Path, parameters: RcptParameters) -> Answer:
        """Decide on RCPT; call `accept_recipient` or return a refusal."""
        raise NotImplementedError

    # --- greeting ---------------------------------------------------------------------------------------------------

    def smtp_HELO(self, argument: bytes) -> Answer:
        """Greet (RFC 5321 §4.1.1.1)."""
        refusal = self._hello(argument)
        self.session.extended_smtp = False
        return refusal or replies.helo(self.runtime.snapshot.hostname)

    def smtp_EHLO(self, argument: bytes) -> Answer:
        """Greet and say what is offered (RFC 5321 §4.1.1.1)."""
        refusal = self._hello(argument)
        if refusal is not None:
            return refusal
        self.session.extended_smtp = True
        snapshot = self.runtime.snapshot
        offered = self.keywords()
        if not self.tls and self.runtime.tls is not None:
            offered = ("STARTTLS", *offered)
        # Some clients miss STARTTLS and AUTH on the last line, so they never stand there.
        return _ehlo(
            snapshot.hostname,
            (
                "PIPELINING",
                f"SIZE {snapshot.message_size_limit}",
                *offered,
                "8BITMIME",
                "SMTPUTF8",
                "ENHANCEDSTATUSCODES",
                "CHUNKING",
                "DSN",
                f"LIMITS MAILMAX={limits.MESSAGES} RCPTMAX={snapshot.recipient_limit}",
            ),
        )

    def _hello(self, argument: bytes) -> bytes | None:
        name = argument.strip()
        if not name or len(name) > _MAX_HELO or b" " in name or not name.isascii() or not name.decode().isprintable():
            return replies.HOST_NAME_NEEDED
        self.reset()
        self.session.host_name = name.decode()
        return None

    def smtp_STARTTLS(self, argument: bytes) -> Answer:
        """Start TLS (RFC 3207). What came behind the command in the clear is an attack, and ends the connection."""
        if argument:
            return replies.NO_ARGUMENT_ALLOWED
        if self.tls:
            return replies.TLS_ALREADY
        if self.runtime.tls is None:
            return replies.NO_TLS
        if self._input.rest:
            self._last_reply = True
            return replies.UNAUTHORIZED_PIPELINING
        self._out.append(replies.READY_FOR_TLS)
        self._settle()
        self._start_tls()
        return None

    # --- the envelope -----------------------------------------------------------------------------------------------

    def smtp_MAIL(self, argument: bytes) -> Answer:
        """Begin a message (RFC 5321 §4.1.1.2)."""
        if self.session.host_name is None:
            return replies.HELO_FIRST
        if self.envelope.mail_from is not None:
            return replies.NESTED_MAIL
        self._messages += 1
        if self._messages > limits.MESSAGES:
            self._last_reply = True
            return replies.TOO_MANY_COMMANDS
        path, raw = parse_mail(argument)
        parameters = mail_parameters(raw, size_limit=self.runtime.snapshot.message_size_limit)
        return self.sender(path, parameters)

    def accept_sender(
        self, path: Path, parameters: MailParameters, account: int | None = None, patterns: frozenset[str] = frozenset()
    ) -> bytes:
        """Begin a message from `path`, sent by `account`."""
        envelope = self.envelope
        envelope.mail_from = path.address
        envelope.smtp_utf8 = parameters.smtputf8
        envelope.parameters = parameters
        envelope.account = account
        envelope.patterns = patterns
        return replies.MAIL_OK

    def smtp_RCPT(self, argument: bytes) -> Answer:
        """Add a recipient (RFC 5321 §4.1.1.3)."""
        envelope = self.envelope
        if envelope.mail_from is None:
            return replies.MAIL_FIRST
        if self._intake is not None:
            return replies.IN_TRANSACTION
        path, raw = parse_rcpt(argument, smtputf8=envelope.smtp_utf8)
        parameters = rcpt_parameters(raw)
        if len(envelope.recipients) >= self.runtime.snapshot.recipient_limit:
            return replies.TOO_MANY_RECIPIENTS
        return self.recipient(path, parameters)

    def accept_recipient(self, path: Path, parameters: RcptParameters, mailbox: str | None) -> bytes:
        """Add the recipient `path`, whose mail goes to `mailbox`, or refuse it where that is None."""
        if mailbox is None:
            return replies.no_such_mailbox(path.address)
        # The postmaster without a domain is whoever administrates here (RFC 5321 §4.5.1).
        address = path.address if path.domain else mailbox
        envelope = self.envelope
        if address not in envelope.rcpt_tos:
            envelope.rcpt_tos.append(address)
            domain = path.domain or mailbox.rpartition("@")[2]
            envelope.recipients.append(NewRecipient(address, domain, parameters.notify, parameters.orcpt))
        return replies.RCPT_OK

    def local_recipient(self, path: Path, parameters: RcptParameters) -> Answer:
        """Take a recipient whose mailbox is here; "" is the postmaster's."""
        found = self.runtime.store.mailbox(path.address if path.domain else "")
        return later(found, lambda mailbox: self.accept_recipient(path, parameters, mailbox))

    def kept_recipient(
        self, path: Path, parameters: RcptParameters, domain: DomainPolicy, *, unverified: bytes | None
    ) -> Answer:
        """Take a recipient whose mailbox the domain's LMTP server keeps, or who has an account here by that address.

        Args:
            path: the recipient.
            parameters: those of RCPT.
            domain: the recipient's domain.
            unverified: the refusal while the server cannot be asked; None takes the recipient all the same.
        """

        def judge(finding: Finding) -> bytes:
            if finding is Finding.UNVERIFIED and unverified is not None:
                return unverified
            absent = finding is Finding.ABSENT
            return self.accept_recipient(path, parameters, None if absent else path.address)

        def ask(account: AccountRow | None) -> Answer:
            if account is not None:
                return self.accept_recipient(path, parameters, path.address)
            hostname = self.runtime.snapshot.hostname
            return later(self.runtime.verifier.ask(domain.lmtp_target, path.address, hostname), judge)

        return later(self.runtime.store.account_by_address(path.address), ask)

    def smtp_RSET(self, argument: bytes) -> Answer:
        """Give the message up (RFC 5321 §4.1.1.5)."""
        if argument:
            return replies.NO_ARGUMENT_ALLOWED
        self.reset()
        return self._idle(replies.RESET)

    # --- the small ones ---------------------------------------------------------------------------------------------

    def smtp_NOOP(self, argument: bytes) -> Answer:
        """Do nothing (RFC 5321 §4.1.1.9)."""
        return self._idle(replies.NOOP)

    def smtp_VRFY(self, argument: bytes) -> Answer:
        """Tell nothing about addresses (RFC 5321 §3.5.3)."""
        return self._idle(replies.VRFY if argument else replies.SYNTAX)

    def smtp_HELP(self, argument: bytes) -> Answer:
        """Name the commands (RFC 5321 §4.1.1.8)."""
        return self._idle(replies.HELP)

    def smtp_EXPN(self, argument: bytes) -> Answer:  # type: ignore[override]  # the one command that aiosmtpd annotates
        """Tell nothing about lists (RFC 5321 §3.5.3)."""
        return self._idle(replies.NOT_IMPLEMENTED)

    def smtp_QUIT(self, argument: bytes) -> Answer:
        """Part (RFC 5321 §4.1.1.10)."""
        if argument:
            return replies.NO_ARGUMENT_ALLOWED
        self._last_reply = True
        return replies.QUIT

    def _idle(self, reply: bytes) -> bytes:
        """Count a command that brings no message nearer."""
        self._idle_commands += 1
        if self._idle_commands > limits.IDLE_COMMANDS:
            self._last_reply = True
            return replies.TOO_MANY_COMMANDS
        return reply

    def handshake_failed(self, error: BaseException) -> None:
        """Log why; a client that merely hangs up is not worth a line."""
        if isinstance(error, ssl.SSLError):
            log.info("TLS handshake on %s with %s failed: %s", self.listener.name, self.address, error.reason or error)
