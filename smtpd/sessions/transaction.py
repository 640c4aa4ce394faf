"""What a client says about one message before its octets come."""

from __future__ import annotations

from aiosmtpd.smtp import Envelope

from mailadmin.queue.envelopes import NewRecipient
from smtpd.smtp.parameters import MailParameters


class Transaction(Envelope):
    """aiosmtpd's envelope (`mail_from`, `rcpt_tos`, `smtp_utf8`, …) with what the queue needs beside it.

    Attributes:
        parameters: of MAIL.
        recipients: those accepted, in the order they came.
        account: the account the message is sent by; None on the mx listener.
        patterns: what that account may send from.
        message: the message's id, once its octets come.
        message_id: of the header, for searches.
    """

    def __init__(self) -> None:
        super().__init__()
        self.parameters = MailParameters()
        self.recipients: list[NewRecipient] = []
        self.account: int | None = None
        self.patterns: frozenset[str] = frozenset()
        self.message = 0
        self.message_id = ""
