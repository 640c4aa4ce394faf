"""System calls of a program and its children as strace saw them, in the order of time.

One file per thread (``-ff``), so a call is always one line, with the time of its entry and its duration.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.ground.requirements import linux, program

READS: Final = frozenset({"read", "recvfrom", "recvmsg", "readv"})
WRITES: Final = frozenset({"write", "sendto", "sendmsg", "writev"})
FILE_WRITES: Final = frozenset({"pwrite64", "pwritev", "pwritev2", "write"})
SYNCS: Final = frozenset({"fsync", "fdatasync"})
END_TIMEOUT: Final = 10.0  # seconds
_LINE: Final = re.compile(
    r"(?P<at>\d+\.\d+) (?P<name>\w+)\((?P<arguments>.*)\)\s+= (?P<result>-?\d+)?.*?(?:<(?P<took>\d+\.\d+)>)?$"
)


@dataclass(frozen=True, slots=True)
class Call:
    """One finished call: its name, what it was about (a file's path, a socket's ends), and when, in Unix seconds."""

    name: str
    target: str
    begin: float
    end: float
    result: int


def tracer(folder: Path) -> list[str]:
    """Return strace with the arguments that make it write into `folder`, to be put before a command.

    The command keeps the process that was started (``-D``), so that signals reach it.
    """
    linux()
    folder.chmod(0o777)  # the command may run as somebody else, and strace with it
    names = ",".join(sorted(READS | FILE_WRITES | WRITES | SYNCS))
    options = ["-D", "-ff", "-ttt", "-T", "-yy", "-s", "0", "-e", f"trace={names}", "-e", "signal=none"]
    return [program("strace"), *options, "-o", str(folder / "calls")]


def calls(folder: Path, *, ended: bool = True) -> list[Call]:
    """Return the calls that succeeded, by the time they were entered.

    Args:
        folder: what `tracer` was given.
        ended: whether the program's end is waited for; a program that goes on gives what it has done so far.
    """
    deadline = time.monotonic() + END_TIMEOUT
    while ended and not all(_ended(path) for path in folder.glob("calls.*")):
        assert time.monotonic() < deadline, "the traced program has not ended"
        time.sleep(0.05)
    found = [call for path in folder.glob("calls.*") for call in _parsed(path)]
    return sorted(found, key=lambda call: call.begin)


def _ended(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 200))
        return b"+++ " in file.read()


def _parsed(path: Path) -> Iterator[Call]:
    for line in path.read_text(errors="replace").splitlines():
        match = _LINE.match(line)
        if match is None or match["result"] is None or int(match["result"]) < 0:
            continue
        begin = float(match["at"])
        target = match["arguments"].partition("<")[2].partition(", ")[0].removesuffix(">")
        yield Call(match["name"], target, begin, begin + float(match["took"] or 0), int(match["result"]))
