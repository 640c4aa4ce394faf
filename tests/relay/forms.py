"""The forms of addresses that open relays have been found by, and an attempt with one of them.

They are nmap's smtp-open-relay combinations and those of the classic lists, with our own beside them. None of the
recipients is a mailbox here, so none may be taken from somebody who is not signed in.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from tests import cast
from tests.ground.wire import Wire

FAR: Final = cast.ELSEWHERE
DIRECT: Final = "direct.example"  # mail for it would go to its MX, not to the smarthost
HERE: Final = cast.DOMAIN
LOCAL: Final = cast.OUTLOOK.address

SENDERS: Final = (
    "<>",
    f"<{cast.STRANGER.address}>",
    f"<{cast.BECKY.address}>",
    f"<postmaster@{HERE}>",
    f"<victim@{FAR}>",
    f"<spam@mail.{HERE}>",
    f"<{cast.BECKY.address}@{FAR}>",
    f'<"{cast.BECKY.address}"@{FAR}>',
    "<spam@[127.0.0.1]>",
    "<spam>",
    "<spam@localhost>",
)
RECIPIENTS: Final = (
    f"<victim@{FAR}>",
    f"<victim@{DIRECT}>",
    f"victim@{FAR}",
    f"<VICTIM@{FAR.upper()}>",
    f"<victim@{FAR}.>",
    f"<victim%{FAR}@[127.0.0.1]>",
    f"<victim%{FAR}@{HERE}>",
    f'<"victim@{FAR}">',
    f'<"victim%{FAR}">',
    f'<"victim@{FAR}"@>',
    f"<victim@{FAR}@[127.0.0.1]>",
    f'<"victim@{FAR}"@[127.0.0.1]>',
    f'<"victim@{FAR}"@{HERE}>',
    f"<victim@{FAR}@{HERE}>",
    f"<@[127.0.0.1]:victim@{FAR}>",
    f"<@{HERE}:victim@{FAR}>",
    f"<@{HERE},@mail.{HERE}:victim@{FAR}>",
    f"<{FAR}!victim>",
    f"<{FAR}!victim@[127.0.0.1]>",
    f"<{FAR}!victim@{HERE}>",
    f"<victim@{FAR},{LOCAL}>",
    f"<victim@{FAR}> <{LOCAL}>",
    f"<{LOCAL}> <victim@{FAR}>",
    f"<victim@{FAR}(comment)@{HERE}>",
    f"<victim@{FAR}> ORCPT=rfc822;{LOCAL}",
    f"<{LOCAL}@{FAR}>",
    f"<victim@exa\tmple.{FAR.rpartition('.')[2]}>",
    "<victim@[192.0.2.1]>",
    "<victim@[IPv6:2001:db8::1]>",
    f"<\u5229\u7528\u8005@{FAR}>",
    "<victim@\u4f8b\u3048.jp>",
    f"<victim\uff20{FAR}>",
    f"<victim@{FAR}\0@{HERE}>",
    f"<{LOCAL.partition('@')[0]}@sub.{HERE}>",
)
# Every refusal is for good and says why by an enhanced code; a temporary one would have the other side try again.
FOR_GOOD: Final = re.compile(rb"5\d\d 5\.\d+\.\d+ \S")
TAKEN: Final = re.compile(rb"25\d ")


def message(sender: str = cast.BECKY.address) -> bytes:
    """Return a short message, the final dot not included."""
    return f"From: {sender}\r\nSubject: relay\r\n\r\nrelay\r\n".encode()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a transaction was answered: `end` stays empty where DATA was refused."""

    mail: bytes
    recipient: bytes
    data: bytes
    end: bytes = b""

    @property
    def came_through(self) -> bool:
        """Whether the recipient or the whole message was taken."""
        return bool(TAKEN.match(self.recipient) or TAKEN.match(self.end))

    @property
    def refused_for_good(self) -> bool:
        """Whether the recipient was refused by a permanent code, and with it the message."""
        return all(FOR_GOOD.match(reply) for reply in (self.recipient, self.end or self.data))


def attempt(wire: Wire, mail: str, recipient: str, data: bytes | None = None) -> Outcome:
    """Bring a transaction as far as it goes, paying no heed to refusals.

    Args:
        wire: the connection.
        mail: the whole MAIL command.
        recipient: what follows ``RCPT TO:``.
        data: the message; None for one from somebody here.

    Raises:
        ConnectionEndedError: the server has had enough errors.
    """
    wire.say("RSET")
    replies = [wire.say(mail), wire.say(f"RCPT TO:{recipient}"), wire.say("DATA")]
    if replies[-1].startswith(b"354"):
        wire.send((data or message()) + b".\r\n")
        replies.append(wire.reply())
    return Outcome(*replies)


def mail_from(sender: str, recipient: str) -> str:
    """Return a MAIL command from `sender` that also allows what `recipient` may need."""
    return f"MAIL FROM:{sender}{'' if recipient.isascii() else ' SMTPUTF8'}"
