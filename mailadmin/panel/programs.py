"""Keeps a few programs running: starts them, starts them again when they end, ends them together.

One thread that waits for signals and nothing else. A program begins a session of its own, so that Ctrl-C reaches only
us; it gets TERM when we end, and also when we are killed.
"""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

FIRST_BACKOFF: Final = 0.1  # seconds before the first restart
LONGEST_BACKOFF: Final = 30.0
GOOD_LIFE: Final = 60.0  # seconds after which the back-off begins anew
LAST_CALL: Final = 20.0  # seconds from TERM to KILL; the daemon's drain takes 10 at most

_ENDING: Final = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
_AWAITED: Final = {*_ENDING, signal.SIGCHLD}
_PR_SET_PDEATHSIG: Final = 1

_libc = ctypes.CDLL(None)
log = logging.getLogger("mailadmin.up")


@dataclass(slots=True)
class Program:
    """A program to keep running.

    Args:
        name: what it is called in the log.
        command: program and arguments.
        environment: its whole environment.
        passed: descriptors it inherits, under their numbers.
        folder: where it starts; None is where we are.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    passed: Sequence[int] = ()
    folder: Path | None = None
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)
    due: float = field(default=0.0, init=False)
    _backoff: float = field(default=FIRST_BACKOFF, init=False)
    _started: float = field(default=0.0, init=False)

    def start(self) -> None:
        """Start it."""
        self._started = time.monotonic()
        self.process = subprocess.Popen(  # noqa: S603  # our own programs
            self.command,
            env=dict(self.environment),
            cwd=self.folder,
            pass_fds=self.passed,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=_end_with_parent,  # noqa: PLW1509  # this process has one thread
        )

    def ended(self) -> int | None:
        """Return its exit status if it has ended since the last look; it is then due again after a pause."""
        status = self.process.poll() if self.process else None
        if status is None:
            return None
        self.process = None
        now = time.monotonic()
        if now - self._started >= GOOD_LIFE:
            self._backoff = FIRST_BACKOFF
        self.due = now + self._backoff
        self._backoff = min(self._backoff * 2, LONGEST_BACKOFF)
        return status


def _end_with_parent() -> None:
    """Ask the kernel for TERM when our parent dies, and let signals through again (in the child, before exec)."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


def keep(programs: Sequence[Program]) -> None:
    """Keep `programs` running until TERM, INT or HUP; return when all have ended."""
    # Blocked signals wait for `sigtimedwait`, so none is lost between two looks.
    signal.pthread_sigmask(signal.SIG_BLOCK, _AWAITED)
    while True:
        now = time.monotonic()
        for program in programs:
            if program.process is None and now >= program.due:
                _start(program)
        pauses = [program.due - now for program in programs if program.process is None]
        arrived = signal.sigtimedwait(_AWAITED, max(0.0, min([60.0, *pauses])))
        if arrived is not None and arrived.si_signo in _ENDING:
            break
        for program in programs:
            status = program.ended()
            if status is not None:
                log.warning("%s has ended (status %d) and is started again", program.name, status)
    _end(programs)


def _start(program: Program) -> None:
    try:
        program.start()
    except OSError as error:
        log.warning("%s cannot be started: %s", program.name, error)
        program.due = time.monotonic() + LONGEST_BACKOFF


def _end(programs: Sequence[Program]) -> None:
    """Send TERM to all, wait for all, and end by force what does not."""
    running = [program.process for program in programs if program.process is not None]
    for process in running:
        process.terminate()
    deadline = time.monotonic() + LAST_CALL
    for process in running:
        try:
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            log.warning("process %d does not end and is killed", process.pid)
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
