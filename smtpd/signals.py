"""Signals as something that a selector waits for: their numbers arrive in a pipe."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable


class SignalPipe:
    """Catches signals and hands out their numbers when they are asked for."""

    def __init__(self, numbers: Iterable[signal.Signals]) -> None:
        """Catch `numbers` from here on."""
        self._numbers = [*numbers]
        self._read, self._write = os.pipe()
        for fd in (self._read, self._write):
            os.set_blocking(fd, False)
        for number in self._numbers:
            # The handler itself does nothing: Python writes the number to the pipe.
            signal.signal(number, lambda *_: None)
        signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)

    def fileno(self) -> int:
        """Return the descriptor to wait for."""
        return self._read

    def arrived(self) -> list[int]:
        """Return the signals since the last call, each once, in the order of their first arrival."""
        try:
            return [*dict.fromkeys(os.read(self._read, 256))]
        except BlockingIOError:
            return []

    def let_go(self) -> None:
        """Let signals do what they do by themselves, in a child."""
        signal.set_wakeup_fd(-1)
        for number in self._numbers:
            signal.signal(number, signal.SIG_DFL)
        os.close(self._read)
        os.close(self._write)
