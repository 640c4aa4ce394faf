"""The session of the mx listener: it takes mail for local domains from anybody, and relays nothing."""

from __future__ import annotations

from smtpd import limits
from smtpd.sessions.engine import Answer
from smtpd.sessions.session import SmtpSession
from smtpd.smtp import headers, replies
from smtpd.smtp.parameters import MailParameters, RcptParameters
from smtpd.smtp.paths import Path


class MxSession(SmtpSession):
    """One connection of another mail server (RFC 5321)."""

    def sender(self, path: Path, parameters: MailParameters) -> Answer:
        """Take any sender: whose it is cannot be known here."""
        return self.accept_sender(path, parameters)

    def recipient(self, path: Path, parameters: RcptParameters) -> Answer:
        """Take a recipient whose mailbox is here or at a domain's LMTP server; no other."""
        domain = self.runtime.snapshot.domains.get(path.domain)
        if path.domain and domain is None:
            return replies.RELAY_DENIED
        if domain is not None and domain.delivery == "lmtp":
            # What was taken and refused later would go back to a sender that may be forged.
            return self.kept_recipient(path, parameters, domain, unverified=replies.MAILBOX_UNVERIFIED)
        return self.local_recipient(path, parameters)

    def smtp_AUTH(self, argument: bytes) -> Answer:
        """Refuse: nobody signs in here."""
        return replies.AUTH_NOT_OFFERED

    def judge(self, block: bytes) -> bytes:
        """Count the servers it has passed, and put our Received before it."""
        found = headers.inspect(block, submission=False)
        if found.received_count > limits.HOPS:
            raise replies.Refused(replies.LOOP)
        self.envelope.message_id = found.message_id
        return found.relayed(self.received(client=True))
