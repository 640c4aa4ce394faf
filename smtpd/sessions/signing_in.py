"""AUTH: drives a SASL exchange over SMTP (RFC 4954), and writes down how it ended."""

from __future__ import annotations

from asyncio import Future
from datetime import UTC, datetime
from typing import cast

from mailadmin.policy.snapshot import ListenerPolicy
from mailadmin.queue.envelopes import SignInEvent
from smtpd import limits
from smtpd.authenticate import Attempt, Challenge, Failure, Step, Success
from smtpd.runtime import Runtime
from smtpd.sessions.connection import Mode
from smtpd.sessions.engine import Answer
from smtpd.sessions.session import SmtpSession, later
from smtpd.smtp import replies

_MAX_LOGIN = 255


class SigningInSession(SmtpSession):
    """A session in which a client can sign in."""

    def __init__(self, runtime: Runtime, listener: ListenerPolicy) -> None:
        super().__init__(runtime, listener)
        self._attempt: Attempt | None = None
        self._failed_sign_ins = 0

    def smtp_AUTH(self, argument: bytes) -> Answer:
        """Begin an exchange (RFC 4954 §4)."""
        if self.session.host_name is None:
            return replies.HELO_FIRST
        if self.session.authenticated:
            return replies.AUTH_ALREADY
        if self.in_transaction():
            return replies.AUTH_IN_TRANSACTION
        authenticator = self.runtime.authenticator
        name, given, initial = argument.partition(b" ")
        if not name or authenticator is None:
            return replies.SYNTAX
        mechanism = replies.printable(name, 32).upper()
        attempt = authenticator.begin(mechanism, self.runtime.snapshot, tls=bool(self.tls), source=self.address)
        if isinstance(attempt, Failure):
            return self._failed(attempt, mechanism, "", None)
        self._attempt = attempt
        return self._then(attempt.step(initial if given else None))

    def response(self, line: bytes) -> Answer:
        """Take the client's response to a challenge."""
        attempt = self._attempt
        self._mode = Mode.COMMAND
        return None if attempt is None else self._then(attempt.step(line))

    def _then(self, step: Step | Future[Step]) -> Answer:
        return later(step, self._take_step) if isinstance(step, Future) else self._take_step(step)

    def _take_step(self, step: Step) -> Answer:
        """Answer the client with what came of its response."""
        if isinstance(step, Challenge):
            self._mode = Mode.RESPONSE
            return step.reply
        attempt, self._attempt = self._attempt, None
        if attempt is None:
            return replies.AUTH_ABORTED
        account = attempt.account
        if isinstance(step, Failure):
            return self._failed(step, attempt.mechanism, attempt.login, account.id if account is not None else None)
        return self._signed_in(step, attempt)

    def _signed_in(self, success: Success, attempt: Attempt) -> bytes:
        self.session.authenticated = True
        # aiosmtpd's attribute is made for whatever proves who it is.
        self.session.auth_data = cast("None", success.account)
        self.mechanism = attempt.mechanism
        self._note("ok", attempt.mechanism, attempt.login, success.account.id)
        return success.reply

    def _failed(self, failure: Failure, mechanism: str, login: str, account: int | None) -> bytes:
        self._note(failure.result, mechanism, login, account)
        if failure.result in {"unknown", "password", "suspended", "malformed"}:
            self._failed_sign_ins += 1
            if self._failed_sign_ins >= limits.FAILED_SIGN_INS:
                self._last_reply = True
                return failure.reply + replies.TOO_MANY_SIGN_INS
        return failure.reply

    def _note(self, result: str, mechanism: str, login: str, account: int | None) -> None:
        """Write the sign-in down, with the next batch."""
        self.runtime.store.sign_in(
            SignInEvent(
                at=datetime.now(UTC),
                login=login[:_MAX_LOGIN],
                listener=self.listener.name,
                client=self.address,
                result=result,
                account=account,
                mechanism=mechanism,
                tls=self.tls,
                helo=self.session.host_name or "",
            )
        )
