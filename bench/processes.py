"""What the kernel says of processes and of the machine."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

TICKS: Final = os.sysconf("SC_CLK_TCK")
_USER_TIME, _SYSTEM_TIME = 11, 12  # of /proc/PID/stat, counted behind the name (proc(5) has them as 14 and 15)


def cpu_seconds(pids: Iterable[int]) -> float:
    """Return the processor time that `pids` have used so far, in seconds."""
    ticks = 0
    for pid in pids:
        with suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
            ticks += int(fields[_USER_TIME]) + int(fields[_SYSTEM_TIME])
    return ticks / TICKS


def memory(pids: Iterable[int]) -> int:
    """Return the memory of `pids` in octets, each shared page divided among those who share it (PSS)."""
    total = 0
    for pid in pids:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1]) * 1024
    return total


def describe_machine(folder: Path) -> str:
    """Return processor, cores, memory, kernel and Python, and the kind of file system that `folder` is on."""
    cores = len(os.sched_getaffinity(0))
    gigabytes = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    return (
        f"{_processor()}, {cores} cores, {gigabytes:.0f} GiB, {_file_system(folder)}, "
        f"{platform.system()} {platform.release()}, Python {platform.python_version()}"
    )


def _processor() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.machine()


def _file_system(folder: Path) -> str:
    """Return the kind of file system of the longest mount point above `folder`."""
    best, kind = "", "unknown file system"
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, mount, found, *_ = line.split(" ")
        if f"{folder}/".startswith(mount.rstrip("/") + "/") and len(mount) > len(best):
            best, kind = mount, found
    return kind
