"""One mail transaction: MAIL, RCPT for each recipient, DATA, the message, and a verdict for each recipient (sans-IO).

With PIPELINING the whole envelope and DATA go out in one write (RFC 2920), else command by command. LMTP gives a reply
per recipient after the message (RFC 2033 §4.2), SMTP one for all.

What ends a transaction is of three kinds:

* an answer: each recipient has its verdict (`Ending.verdicts`);
* trouble with the server (lost connection, silence, 421) *before* the message was sent: nobody is decided who was not
  before, and another server or a new connection may be tried (`Ending.trouble`);
* the same trouble once the message was under way: deferred. After the final dot the server may have taken the message
  without our hearing of it; a later try can then repeat it, and never lose it (RFC 1047).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from mailadmin.queue.envelopes import ClaimedMessage, ClaimedRecipient, Outcome, Verdict
from smtpd.smtp.client_actions import STAGES, Dialogue, Receive, Send, SendBody, Step, Trouble, enhanced_code, receive
from smtpd.smtp.client_commands import mail_command, rcpt_command, speakable
from smtpd.smtp.client_features import Features
from smtpd.smtp.client_replies import Reply

_CLOSING: Final = 421
_GO_AHEAD: Final = 354
_AUTHENTICATION_NEEDED: Final = 530
_DONE: Final = 2
_TRY_AGAIN: Final = 4
_REFUSED: Final = 5
_OUTCOMES: Final[dict[int, Outcome]] = {_DONE: "delivered", _REFUSED: "failed"}


@dataclass(frozen=True, slots=True)
class Ending:
    """What came of a transaction.

    Args:
        verdicts: for the recipients that were decided, by id.
        trouble: why the others were not, or None when all were.
        usable: the connection can carry another transaction.
        dirty: that next one must begin with RSET.
    """

    verdicts: dict[int, Verdict]
    trouble: Trouble | None
    usable: bool
    dirty: bool


class Transaction:
    """Carries one message to some recipients over an open session.

    Args:
        message: the envelope.
        recipients: those to be tried.
        features: what the server offers.
        lmtp: whether this is LMTP.
        reset: begin with RSET.
        repairable: the server is the household's own smarthost: 530 means that its settings here are wrong, so the mail
            waits for them to be repaired.
    """

    def __init__(
        self,
        message: ClaimedMessage,
        recipients: Sequence[ClaimedRecipient],
        features: Features,
        *,
        lmtp: bool = False,
        reset: bool = False,
        repairable: bool = False,
    ) -> None:
        self._message = message
        self._open = list(recipients)  # without a verdict, in order
        self._features = features
        self._lmtp = lmtp
        self._reset = reset
        self._repairable = repairable
        self._smtputf8 = message.smtputf8 or not message.sender.isascii()
        self._verdicts: dict[int, Verdict] = {}
        self._message_started = False
        self._usable = True
        self._dirty = reset

    def run(self) -> Dialogue[Ending]:
        """Play the transaction."""
        self._sort_out_what_cannot_be_sent()
        trouble: Trouble | None = None
        if self._open:
            try:
                yield from self._conversation()
            except Trouble as met:
                self._usable = False
                if self._message_started:
                    self._give_all(met.verdict())
                else:
                    trouble = met
        return Ending(self._verdicts, trouble if self._open else None, self._usable, self._dirty)

    # Before the conversation.

    def _sort_out_what_cannot_be_sent(self) -> None:
        features = self._features
        limit = features.size_limit
        if self._message.sender and not speakable(self._message.sender):
            self._give_all(Verdict("failed", "mail", 0, "5.1.7", "The sender's address cannot be written in SMTP."))
        elif limit is not None and self._message.size > limit:
            words = f"The message has {self._message.size} octets; this server takes {limit} at most."
            self._give_all(Verdict("failed", "mail", 0, "5.3.4", words))
        for recipient in list(self._open):
            if not speakable(recipient.address):
                self._give(recipient, Verdict("failed", "rcpt", 0, "5.1.3", "The address cannot be written in SMTP."))
            elif self._smtputf8 or not recipient.address.isascii():
                if "SMTPUTF8" in features:
                    self._smtputf8 = True
                else:
                    words = (
                        "The message needs SMTPUTF8 (addresses or headers beyond ASCII); this server does not offer it."
                    )
                    self._give(recipient, Verdict("failed", "mail", 0, "5.6.7", words))

    # The conversation.

    def _conversation(self) -> Dialogue[None]:
        if "PIPELINING" in self._features:
            go_ahead, accepted = yield from self._envelope_at_once()
        else:
            go_ahead, accepted = yield from self._envelope_by_turns()
        if not go_ahead:
            return
        if not accepted:
            # Every recipient was refused and the server wants data all the same: an empty message to nobody
            # (RFC 2920 §3.1).
            yield Send(b".\r\n", "final")
            self._usable = (yield Receive("final")) is not None
            return
        self._message_started = True
        early = yield SendBody()
        if isinstance(early, Reply):
            self._answer_before_the_end(early)
            return
        yield from self._final_replies(accepted)
        self._dirty = False

    def _envelope_at_once(self) -> Dialogue[tuple[bool, list[ClaimedRecipient]]]:
        """Everything up to DATA in one write, then the replies (RFC 2920 §3.1)."""
        asked = list(self._open)
        lines = [*self._opening(), *(rcpt_command(recipient, self._features) for recipient in asked), b"DATA"]
        yield Send(b"\r\n".join(lines) + b"\r\n", "mail")
        if self._reset:
            yield from self._reset_reply()
        mail = yield from self._reply("mail")
        if mail.kind != _DONE:  # decided at once: some servers hang up after that
            self._give_all(self._refusal(mail, "mail"))
        accepted: list[ClaimedRecipient] = []
        for recipient in asked:
            reply = yield from self._reply("rcpt")
            if mail.kind == _DONE and self._took(recipient, reply):
                accepted.append(recipient)
        data = yield from self._reply("data")
        if accepted and data.code != _GO_AHEAD:
            self._give_all(self._refusal(data, "data"))
        return data.code == _GO_AHEAD, accepted

    def _envelope_by_turns(self) -> Dialogue[tuple[bool, list[ClaimedRecipient]]]:
        """Command by command."""
        accepted: list[ClaimedRecipient] = []
        *reset, mail_line = self._opening()
        if reset:
            yield Send(b"RSET\r\n", "reset")
            yield from self._reset_reply()
        mail = yield from self._turn(mail_line, "mail")
        if mail.kind != _DONE:
            self._give_all(self._refusal(mail, "mail"))
            return False, accepted
        for recipient in list(self._open):
            reply = yield from self._turn(rcpt_command(recipient, self._features), "rcpt")
            if self._took(recipient, reply):
                accepted.append(recipient)
        if not accepted:
            return False, accepted
        data = yield from self._turn(b"DATA", "data")
        if data.code != _GO_AHEAD:
            self._give_all(self._refusal(data, "data"))
        return data.code == _GO_AHEAD, accepted

    def _opening(self) -> list[bytes]:
        reset = [b"RSET"] if self._reset else []
        self._dirty = True
        return [*reset, mail_command(self._message, self._features, smtputf8=self._smtputf8)]

    def _reset_reply(self) -> Dialogue[None]:
        reply = yield from self._reply("reset")
        if reply.kind != _DONE:
            raise Trouble.refused(reply, "mail")

    def _turn(self, command: bytes, step: Step) -> Dialogue[Reply]:
        yield Send(command + b"\r\n", step)
        return (yield from self._reply(step))

    def _reply(self, step: Step) -> Dialogue[Reply]:
        """Wait for a reply; 421 is trouble with the server, whatever was asked (RFC 5321 §3.8)."""
        reply = yield from receive(step)
        if reply.code == _CLOSING:
            raise Trouble.refused(reply, STAGES[step])
        return reply

    def _final_replies(self, accepted: Sequence[ClaimedRecipient]) -> Dialogue[None]:
        """SMTP: one reply for all; LMTP: one for each accepted recipient, in order."""
        reply = yield from receive("final")
        for number, recipient in enumerate(accepted):
            if self._lmtp and number:
                reply = yield from receive("final")
            self._give(recipient, self._judged(reply, "data"))
        if reply.code == _CLOSING:
            self._usable = False

    def _answer_before_the_end(self, reply: Reply) -> None:
        """The server answered while the message was still being sent; the final dot was not sent."""
        self._usable = False
        if reply.kind in {_TRY_AGAIN, _REFUSED}:
            self._give_all(self._judged(reply, "data"))
        else:
            words = f"The server answered before the end of the message, with {reply.code} {reply.words}"
            self._give_all(Verdict("deferred", "data", 0, "4.5.0", words[:1000]))

    # Verdicts.

    def _took(self, recipient: ClaimedRecipient, reply: Reply) -> bool:
        """Whether the server took `recipient`; if not, it has its verdict now."""
        if reply.kind == _DONE:
            return True
        self._give(recipient, self._refusal(reply, "rcpt"))
        return False

    def _refusal(self, reply: Reply, stage: str) -> Verdict:
        """The verdict for a command that was not taken; an answer that makes no sense there is one, too."""
        if self._repairable and reply.code == _AUTHENTICATION_NEEDED:
            return Verdict("deferred", "auth", reply.code, "4.7.0", reply.words)
        # RFC 5321 §4.5.3.1.10: 552 once meant "too many recipients", and still does where no other code says more.
        if stage == "rcpt" and reply.code == 552 and reply.enhanced in {"", "5.5.3"}:  # noqa: PLR2004
            return Verdict("deferred", stage, reply.code, "4.5.3", reply.words)
        if reply.kind not in {_TRY_AGAIN, _REFUSED}:
            self._usable = False
            return Verdict("deferred", stage, reply.code, "4.5.0", f"An answer out of place: {reply.words}"[:1000])
        return self._judged(reply, stage)

    def _judged(self, reply: Reply, stage: str) -> Verdict:
        outcome = _OUTCOMES.get(reply.kind, "deferred")
        dsn = outcome == "delivered" and "DSN" in self._features
        return Verdict(outcome, stage, reply.code, enhanced_code(reply), reply.words, dsn=dsn)

    def _give(self, recipient: ClaimedRecipient, verdict: Verdict) -> None:
        self._verdicts[recipient.id] = verdict
        self._open.remove(recipient)

    def _give_all(self, verdict: Verdict) -> None:
        for recipient in list(self._open):
            self._give(recipient, replace(verdict))
