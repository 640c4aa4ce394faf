"""Asks the LMTP server that keeps a domain's mailboxes whether one exists, while the client still waits at RCPT.

Mail that is taken and refused later goes back to its sender, who with mail from strangers is often forged. So the
question is a transaction without a message: MAIL with the null sender, RCPT, and QUIT. Only an answer to RCPT counts,
and it counts as it would in a delivery: what a delivery would return to the sender is absent, and whatever it would try
again later (no connection, 4xx, silence) leaves the question open. Answers are remembered for a while; the same
question, asked by several sessions at once, goes out once.
"""

from __future__ import annotations

import asyncio
import enum
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

import structlog

from smtpd.smtp.client_actions import Dialogue, Trouble, ask
from smtpd.smtp.client_commands import speakable
from smtpd.smtp.client_features import Features

from .connection import opened
from .lmtp import lmtp_server
from .pool import Slots
from .timeouts import Timeouts
from .tls import Contexts

EXISTING_TIME: Final = 600.0  # seconds for which a mailbox that exists is not asked about again
ABSENT_TIME: Final = 60.0  # and one that does not: it may be new
MOST_REMEMBERED: Final = 10_000  # answers of each kind
# A client waits for its reply meanwhile: everything together, the wait for a free place included, ends by `total`.
PATIENCE: Final = Timeouts(
    connect=10, tls=10, banner=10, hello=10, starttls=10, reset=10, mail=10, rcpt=10, block=10, total=10
)
_DONE: Final = 2
_REFUSED: Final = 5

log = structlog.get_logger("smtpd.delivery")


class Finding(enum.Enum):
    """What is known of a mailbox."""

    EXISTS = enum.auto()
    ABSENT = enum.auto()
    UNVERIFIED = enum.auto()  # the server cannot be asked now, or does not say


Question = tuple[str, str]  # the server and the address


class Memory:
    """Remembers questions for a time, and no more than so many: the oldest make room.

    Args:
        seconds: how long.
        most: how many.
    """

    def __init__(self, seconds: float, most: int) -> None:
        self._seconds = seconds
        self._most = most
        self._since: OrderedDict[Question, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._since)

    def has(self, question: Question, now: float) -> bool:
        """Say whether `question` is remembered at `now`, in the seconds of any one clock."""
        since = self._since.get(question)
        return since is not None and now - since < self._seconds

    def keep(self, question: Question, now: float) -> None:
        """Remember `question` from `now` on."""
        self._since[question] = now
        self._since.move_to_end(question)
        if len(self._since) > self._most:
            self._since.popitem(last=False)


class Verifier:
    """Finds out whether mailboxes exist, for all sessions of a process.

    Args:
        clock: seconds that never go back.
        timeouts: the limits of a question.
        most_remembered: how many answers of each kind are remembered.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        timeouts: Timeouts = PATIENCE,
        most_remembered: int = MOST_REMEMBERED,
    ) -> None:
        self._clock = clock
        self._timeouts = timeouts
        self._existing = Memory(EXISTING_TIME, most_remembered)
        self._absent = Memory(ABSENT_TIME, most_remembered)
        self._under_way: dict[Question, asyncio.Future[Finding]] = {}
        self._slots = Slots()
        self._contexts = Contexts()

    def ask(self, target: str, address: str, hostname: str) -> Finding | asyncio.Future[Finding]:
        """Return what is known of a mailbox, or a Future of it that is done within `timeouts.total` and never fails.

        Args:
            target: the LMTP server, see `lmtp_server`.
            address: the mailbox.
            hostname: our name.
        """
        question = (target, address)
        now = self._clock()
        if self._existing.has(question, now):
            return Finding.EXISTS
        if self._absent.has(question, now):
            return Finding.ABSENT
        under_way = self._under_way.get(question)
        if under_way is None:
            under_way = self._under_way[question] = asyncio.ensure_future(self._find(question, hostname))
        return under_way

    async def _find(self, question: Question, hostname: str) -> Finding:
        target, address = question
        try:
            finding = await self._put(target, address, hostname)
        except Trouble as trouble:
            log.info("a mailbox could not be verified", server=target, stage=trouble.stage, words=trouble.words)
            return Finding.UNVERIFIED
        except Exception:
            log.exception("verifying a mailbox broke off", server=target)
            return Finding.UNVERIFIED
        finally:
            del self._under_way[question]
        if finding is Finding.EXISTS:
            self._existing.keep(question, self._clock())
        elif finding is Finding.ABSENT:
            self._absent.keep(question, self._clock())
        return finding

    async def _put(self, target: str, address: str, hostname: str) -> Finding:
        """Ask the server.

        Raises:
            Trouble: it cannot be asked.
        """
        server = lmtp_server(target)
        deadline = asyncio.get_running_loop().time() + self._timeouts.total
        async with self._slots.slot(server, deadline):
            connection = await opened(
                server, hostname, timeouts=self._timeouts, contexts=self._contexts, deadline=deadline
            )
            try:
                return await connection.run(_question(address, connection.features))
            finally:
                connection.leave()


def _question(address: str, features: Features) -> Dialogue[Finding]:
    """Ask for one mailbox; QUIT, which is the driver's, ends the transaction (RFC 5321 §4.1.1.10).

    Raises:
        Trouble: the server does not come to the question.
    """
    beyond_ascii = not address.isascii()
    if not speakable(address) or (beyond_ascii and "SMTPUTF8" not in features):
        return Finding.ABSENT  # a delivery could not name it there either
    mail = yield from ask(b"MAIL FROM:<> SMTPUTF8" if beyond_ascii else b"MAIL FROM:<>", "mail")
    if mail.kind != _DONE:
        raise Trouble.refused(mail, "mail")
    reply = yield from ask(f"RCPT TO:<{address}>".encode(), "rcpt")
    if reply.kind == _DONE:
        return Finding.EXISTS
    # As in a delivery: 530 is for our settings to mend, and 552 without a code that says more is "too many" (RFC 5321
    # §4.5.3.1.10).
    mendable = reply.code == 530 or (reply.code == 552 and reply.enhanced in {"", "5.5.3"})  # noqa: PLR2004
    if reply.kind != _REFUSED or mendable:
        raise Trouble.refused(reply, "rcpt")
    return Finding.ABSENT
