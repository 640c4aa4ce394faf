"""What an outgoing dialogue asks of whoever drives it, and how it fails (sans-IO).

A dialogue is a generator: it yields an action, is sent the answer, and returns its result. The driver owns the socket
and the clock; when the network fails, it throws `Trouble` into the generator at the action that was under way. So the
whole of SMTP's logic is plain code that a test can run without a socket.

    action       answer
    Send         None, when the octets were handed over
    Receive      the next Reply
    StartTls     Secured, when the handshake succeeded and nothing had arrived in clear behind the 220
    SendBody     None, when message and final dot were sent; or the Reply that came before the end
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Final, Literal, TypeVar

from mailadmin.queue.envelopes import Verdict
from smtpd.smtp.client_replies import MAX_WORDS, Reply

# Where in the dialogue an action stands. Each has a time limit of its own (RFC 5321 §4.5.3.2).
Step = Literal["banner", "hello", "starttls", "auth", "reset", "mail", "rcpt", "data", "final"]

# The stage of a verdict, by step.
STAGES: Final[dict[Step, str]] = {
    "banner": "connect",
    "hello": "connect",
    "starttls": "tls",
    "auth": "auth",
    "reset": "mail",
    "mail": "mail",
    "rcpt": "rcpt",
    "data": "data",
    "final": "data",
}


@dataclass(frozen=True, slots=True)
class Send:
    """Write `data`."""

    data: bytes
    step: Step


@dataclass(frozen=True, slots=True)
class Receive:
    """Wait for the next reply."""

    step: Step


@dataclass(frozen=True, slots=True)
class StartTls:
    """Begin TLS on this connection, now."""


@dataclass(frozen=True, slots=True)
class SendBody:
    """Send the message, dot-stuffed, and the final dot."""


@dataclass(frozen=True, slots=True)
class Secured:
    """TLS is on; `description` names protocol and cipher."""

    description: str


Action = Send | Receive | StartTls | SendBody
Answer = Reply | Secured | None
_T = TypeVar("_T")
Dialogue = Generator[Action, Answer, _T]


class Trouble(Exception):  # noqa: N818  # it is not an error of ours, it is what happened
    """The dialogue with this server cannot go on; nothing was decided about the recipients.

    Args:
        stage: as in `Verdict`.
        words: what happened, in English or in the server's own words.
        enhanced: the enhanced status code.
        code: the reply code, or 0.
        permanent: the server refused with 5xx.
        reason: a short stable name for programs: refused, timeout, closed, garbage, injected, no-starttls, handshake,
            expired, unknown-ca, self-signed, wrong-name, auth-refused … or empty.
    """

    def __init__(
        self,
        stage: str,
        words: str,
        enhanced: str = "4.4.2",
        *,
        code: int = 0,
        permanent: bool = False,
        reason: str = "",
    ) -> None:
        super().__init__(words)
        self.stage = stage
        self.words = words[:MAX_WORDS]
        self.enhanced = enhanced
        self.code = code
        self.permanent = permanent
        self.reason = reason
        self.peer = ""
        self.tls = ""
        self.raw = ""  # the reply as it stood on the wire, where it was one

    @classmethod
    def refused(cls, reply: Reply, stage: str, reason: str = "refused") -> Trouble:
        """The server answered, but not with yes."""
        permanent = reply.kind == 5  # noqa: PLR2004  # the class of the reply
        trouble = cls(stage, reply.words, enhanced_code(reply), code=reply.code, permanent=permanent, reason=reason)
        trouble.raw = reply.raw
        return trouble

    def verdict(self, *, fail: bool = False) -> Verdict:
        """Return what this means for a recipient: deferred, or failed where `fail` says so.

        The class of the enhanced code is brought in line with that.
        """
        outcome: Literal["deferred", "failed"] = "failed" if fail else "deferred"
        enhanced = ("5" if fail else "4") + self.enhanced[1:]
        return Verdict(outcome, self.stage, self.code, enhanced, self.words, self.peer, self.tls)


def enhanced_code(reply: Reply) -> str:
    """Return the reply's enhanced status code, or a general one of its class (RFC 3463 §2)."""
    if reply.enhanced:
        return reply.enhanced
    if reply.code == 421:  # noqa: PLR2004  # RFC 5321 §4.2.2: the service is closing
        return "4.3.2"
    return f"{reply.kind if reply.kind in {2, 4, 5} else 4}.0.0"


def receive(step: Step) -> Dialogue[Reply]:
    """Wait for a reply."""
    answer = yield Receive(step)
    if not isinstance(answer, Reply):
        raise TypeError("a driver answers Receive with a Reply")
    return answer


def ask(command: bytes, step: Step) -> Dialogue[Reply]:
    """Send one command line and return its reply."""
    yield Send(command + b"\r\n", step)
    return (yield from receive(step))
