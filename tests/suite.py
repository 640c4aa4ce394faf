"""The whole suite, as ``make test`` and the build server run it.

Checks, then the tests on SQLite and the same tests on PostgreSQL, each as two passes of pytest: what may run side by
side, then what must run alone; then the quick part on Python 3.13 where that interpreter is at hand. At the end stand
the closing line of each pass, what was left out and why, and the sum.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.ground import postgresql, prerequisites
from tests.ground.checkout import PYTHON, ROOT
from tests.ground.requirements import everything_must_run

OTHER: Final = "3.13"
OTHER_VENV: Final = ROOT / ".venv313"
# The other interpreter is for what Python itself could change: codecs, SQLite, asyncio, TLS. It runs without the
# folders whose tests are about other programs, the browser, the machine, or the pages.
ELSEWHERE: Final = (
    *("accounts", "activity", "architecture/test_clean_clone.py", "bench", "browser", "commands", "crash", "daemon"),
    *("durability", "faults", "interop", "listeners", "live", "panel", "panel_pages", "relay", "routing", "server"),
)
# More than processors, since many of these tests wait for programs.
SIDE_BY_SIDE: Final = str(2 * (os.cpu_count() or 2))
COUNT: Final = re.compile(r"(\d+) (passed|failed|skipped|deselected|errors?|xfailed|xpassed|warnings?)")


@dataclass(slots=True)
class Report:
    """What came of the passes so far."""

    started: float = field(default_factory=time.monotonic)
    closing_lines: list[tuple[str, str]] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def add(self, name: str, output_line: str, status: int) -> None:
        """Note a pass of pytest: its closing line and its exit status (5: nothing to do)."""
        self.closing_lines.append((name, output_line))
        for number, what in COUNT.findall(output_line):
            self.counts[what.removesuffix("s") if what != "passed" else what] += int(number)
        if status not in {0, 5}:
            self.failed.append(name)

    def show(self) -> int:
        """Print the end of the run and return its exit status."""
        print("\n" + "=" * 80)
        for name, line in self.closing_lines:
            print(f"{name:28} {line.strip('= ')}")
        for line in self.left_out:
            print(f"left out: {line}")
        if self.left_out and everything_must_run():
            self.failed.append("nothing may be left out here")
        for name in self.failed:
            print(f"FAILED: {name}")
        parts = [
            f"{self.counts[what]} {what}" for what in ("failed", "error", "passed", "skipped") if self.counts[what]
        ]
        print(f"===== {', '.join(parts) or 'no tests ran'} in {time.monotonic() - self.started:.2f}s =====")
        return 1 if self.failed else 0


def _say(text: str) -> None:
    print(f"\n--- {text}", flush=True)


def _pytest(report: Report, name: str, python: Path, *arguments: str, **variables: str) -> None:
    """Run one pass, passing its output on, and note its closing line."""
    _say(name)
    command = [str(python), "-m", "pytest", "-p", "no:cacheprovider", *arguments]
    environment = {**os.environ, **variables, "PYTHONUNBUFFERED": "1"}
    last = ""
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            last = line.strip() or last
    report.add(name, last, process.returncode)


def _both_passes(report: Report, database: str, arguments: list[str], **variables: str) -> None:
    python = Path(PYTHON)
    _pytest(
        report,
        f"{database}, side by side",
        python,
        "-n", SIDE_BY_SIDE, "--dist", "loadfile", "-m", "not alone", *arguments,
        **variables,
    )  # fmt: skip
    _pytest(report, f"{database}, alone", python, "-m", "alone", *arguments, **variables)


def _other_interpreter() -> Path | None:
    """Return Python 3.13, from the path or from pyenv."""
    candidates = [shutil.which(f"python{OTHER}")]
    candidates += map(str, sorted(Path.home().glob(f".pyenv/versions/{OTHER}.*/bin/python{OTHER}")))
    for candidate in filter(None, candidates):
        asked = subprocess.run([candidate, "-c", "import ensurepip, venv"], check=False, capture_output=True)
        if asked.returncode == 0:  # a shim of pyenv may be there and yet lead nowhere
            return Path(candidate)
    return None


def _on_the_other_interpreter(report: Report, arguments: list[str]) -> None:
    interpreter = _other_interpreter() if sys.version_info[:2] != tuple(map(int, OTHER.split("."))) else None
    if interpreter is None:
        print(f"Python {OTHER} is not at hand: its pass is not run.")
        return
    made = subprocess.run(
        ["make", "--no-print-directory", "dev", f"VENV={OTHER_VENV.name}", f"PYTHON={interpreter}"],
        cwd=ROOT,
        check=False,
    )
    if made.returncode:
        report.failed.append(f"the packages for Python {OTHER}")
        return
    ignored = [f"--ignore=tests/{folder}" for folder in ELSEWHERE]
    _pytest(
        report,
        f"Python {OTHER}",
        OTHER_VENV / "bin" / "python",
        "-n", SIDE_BY_SIDE, "--dist", "loadfile", "-m", "not alone", *ignored, *arguments,
    )  # fmt: skip


def main(arguments: list[str]) -> int:
    """Run everything; `arguments` go to each pytest."""
    report = Report()
    report.left_out += prerequisites.install()
    _say("make check")
    if subprocess.run(["make", "--no-print-directory", "check"], cwd=ROOT, check=False).returncode:
        report.failed.append("make check")
    _both_passes(report, "SQLite", arguments, DATABASE_URL="")
    with postgresql.cluster() as url:
        _both_passes(report, "PostgreSQL", arguments, DATABASE_URL=url)
    _on_the_other_interpreter(report, arguments)
    return report.show()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
