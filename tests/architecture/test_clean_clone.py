"""What the README says to type works in an empty folder: a link is printed, it opens the first run, Ctrl-C ends it."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ground.checkout import ROOT, environment, tracked_files
from tests.ground.daemon import scratch_folder, wait_until
from tests.ground.panel import Panel
from tests.ground.ports import free_port
from tests.ground.requirements import program

pytestmark = [pytest.mark.alone, pytest.mark.sqlite_only, pytest.mark.timeout(300)]
LINK = re.compile(r"http://localhost:\d+/setup/\S+")


@pytest.fixture
def clone() -> Iterator[Path]:
    """A copy of what is tracked, in a folder whose name has a space in it."""
    folder = scratch_folder() / "a folder" / "mailadmin"
    for path in tracked_files():
        copy = folder / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, copy)
    yield folder
    shutil.rmtree(folder.parent.parent)


def _run(clone: Path, log: Path) -> subprocess.Popen[bytes]:
    ports = {"MAILADMIN_HTTP_PORT": str(free_port()), "MAILADMIN_HTTPS_PORT": str(free_port())}
    with log.open("wb") as output:
        return subprocess.Popen(
            [program("make"), "run"],
            cwd=clone,
            env=environment(**ports),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )


def _end(process: subprocess.Popen[bytes], log: Path) -> None:
    """Press Ctrl-C: the whole group of processes hears it."""
    subprocess.run(["kill", "-INT", "--", f"-{process.pid}"], check=True)
    process.wait(30)
    assert log.read_text().rstrip().endswith("Stopped."), log.read_text()


def test_make_run_in_a_clean_clone_gives_a_link_that_opens_and_runs_again_in_seconds(clone: Path) -> None:
    log = clone.parent / "log"
    process = _run(clone, log)
    try:
        wait_until(lambda: LINK.search(log.read_text()), f"a link; {log.read_text()}", 200, pause=0.5)
        link = LINK.search(log.read_text())
        assert link is not None
        wait_until(lambda: "listener open" in log.read_text(), "the daemon")
        page = Panel(link[0]).get("")
        assert page.status == 200
        assert page.url.endswith("/setup/1/")
        _end(process, log)
        process = _run(clone, log)
        wait_until(lambda: LINK.search(log.read_text()), "a link again", 15)
        wait_until(lambda: "listener open" in log.read_text(), "the daemon again")
        _end(process, log)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(30)
    assert list((clone / ".venv").glob("lib/python*/site-packages/django"))
    assert not list((clone / ".venv").glob("lib/python*/site-packages/pytest")), "running needs no packages for tests"
