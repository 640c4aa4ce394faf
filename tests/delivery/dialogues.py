"""Plays an outgoing dialogue without a socket: the answers are given beforehand, what it sends is collected."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from smtpd.smtp.client_actions import Answer, Dialogue, Receive, Secured, Send, SendBody, StartTls, Trouble
from smtpd.smtp.client_replies import ReplyReader

_T = TypeVar("_T")
LOST = Trouble("rcpt", "gone", reason="closed")


def play(
    dialogue: Dialogue[_T],
    answers: Iterable[bytes | Trouble],
    early: bytes = b"",
    sent: list[bytes] | None = None,
) -> tuple[_T, list[bytes]]:
    """Return the dialogue's result and what it sent.

    Args:
        dialogue: the dialogue.
        answers: a reply, or trouble, for each wait.
        early: what the server says before the end of the message.
        sent: collects what was sent, for a dialogue that raises.
    """
    waiting = iter(answers)
    sent = [] if sent is None else sent
    answer: Answer = None
    trouble: Trouble | None = None
    try:
        action = next(dialogue)
        while True:
            answer, trouble = None, None
            match action:
                case Send(data):
                    sent.append(data)
                case StartTls():
                    sent.append(b"<TLS>")
                    answer = Secured("TLSv1.3 X")
                case SendBody():
                    sent.append(b"<BODY>")
                    answer = _reply(early) if early else None
                case Receive():
                    given = next(waiting)
                    answer, trouble = (None, given) if isinstance(given, Trouble) else (_reply(given), None)
            action = dialogue.throw(trouble) if trouble is not None else dialogue.send(answer)
    except StopIteration as end:
        assert next(waiting, None) is None, "the dialogue did not wait for all the answers"
        result: _T = end.value
        return result, sent


def _reply(octets: bytes) -> Answer:
    reader = ReplyReader()
    reader.feed(octets + b"\r\n")
    return reader.next()
