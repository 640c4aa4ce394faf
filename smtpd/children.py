"""The supervisor's view of its children: their slots, their lines, when to start them again."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from smtpd.channel import Channel, ChannelClosedError, Message

FIRST_BACKOFF: Final = 0.1  # seconds before the first restart
LONGEST_BACKOFF: Final = 30.0
GOOD_LIFE: Final = 60.0  # seconds after which the back-off begins anew
PING_EVERY: Final = 2.0
# A child whose loop has not turned for so long is stuck.
SILENCE: Final = 30.0


class Child:
    """A slot for one process, and the process that fills it at the moment.

    Attributes:
        role: worker or runner.
        slot: the number among the workers; 0 for the runner.
        pid: the process, or 0 while there is none.
        channel: the line to it.
        due: when to start the next one, by the monotonic clock.
        generation: what it last asked for; 0 before that.
        reported: whether it has said how it stands since its start.
        waiting: why it cannot serve yet.
        given: the endpoints it has been given, by address and port.
    """

    def __init__(self, role: str, slot: int) -> None:
        self.role = role
        self.slot = slot
        self.pid = 0
        self.channel: Channel | None = None
        self.due = 0.0
        self.generation = 0
        self.reported = False
        self.waiting = ""
        self.given: set[tuple[str, int]] = set()
        self._started = 0.0
        self._heard = 0.0
        self._backoff = FIRST_BACKOFF

    @property
    def name(self) -> str:
        """What it is called in the log."""
        return f"{self.role}-{self.slot}" if self.role == "worker" else self.role

    def born(self, pid: int, channel: Channel, now: float) -> None:
        """Note that the process `pid` fills the slot."""
        self.pid, self.channel = pid, channel
        self._started = self._heard = now
        self.generation = 0
        self.reported = False
        self.waiting = ""
        self.given = set()

    def died(self, now: float) -> float:
        """Note that the process is gone; return after how many seconds the next one is due."""
        self.pid = 0
        if self.channel is not None:
            self.channel.close()
            self.channel = None
        if now - self._started >= GOOD_LIFE:
            self._backoff = FIRST_BACKOFF
        pause = self._backoff
        self.due = now + pause
        self._backoff = min(self._backoff * 2, LONGEST_BACKOFF)
        return pause

    def heard(self, now: float) -> None:
        """Note a sign of life."""
        self._heard = now

    def stuck(self, now: float) -> bool:
        """Say whether the process has been silent for too long."""
        return bool(self.pid) and now - self._heard > SILENCE

    def tell(self, message: Message, passed: socket.socket | None = None) -> None:
        """Send `message` and a duplicate of `passed`; a child that does not read its line is ended."""
        if self.channel is None:
            return
        try:
            self.channel.send(message, passed)
        except ChannelClosedError:
            self.signal(signal.SIGKILL)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process, if there is one."""
        if self.pid:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)


def spawn(child: Child, now: float, become: Callable[[Channel], int]) -> None:
    """Fork a process for `child`, in which `become` runs and whose exit code it returns.

    The process is a fork without exec: it starts in milliseconds and shares the memory of all that is imported.

    Raises:
        OSError: the system has no room for another process.
    """
    mine, theirs = Channel.pair()
    try:
        pid = os.fork()
    except OSError:
        mine.close()
        theirs.close()
        raise
    if pid:
        theirs.close()
        child.born(pid, mine, now)
        return
    code = 1
    try:
        # The stack of the supervisor lies below; nothing may unwind into it.
        mine.close()
        code = become(theirs)
    finally:
        os._exit(code)


def verdict(status: int) -> str:
    """Return how a process has ended, in words, from its wait status."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        return f"ended by signal {number} ({signal.strsignal(number)})"
    return f"ended with exit code {os.waitstatus_to_exitcode(status)}"
