"""A line of the log is one event, whatever a client puts into its values."""

from __future__ import annotations

import json

import pytest

from tests.ground.checkout import PYTHON, ROOT, run

SCRIPT = r"""
import asyncio, logging, structlog
from smtpd import observe
observe.configure("worker-0")
log = structlog.get_logger("smtpd.test")
log.info("hello", login="a\nlevel=error event=forged\r\x1b[31m\u2028x", number=3, right=True)
logging.getLogger("smtpd.other").warning("foreign %r", "x\ny")
logging.getLogger("smtpd.other").warning("foreign x\ny event=forged")
loop = asyncio.new_event_loop()
observe.log_faults(loop)
loop.call_soon(lambda: 1 / 0)
loop.run_until_complete(asyncio.sleep(0.01))
"""
SETTINGS = "import django.conf, logging; logging.getLogger('smtpd').setLevel('INFO')\n"


def _lines(**variables: str) -> list[str]:
    result = run(PYTHON, "-c", SETTINGS + SCRIPT, cwd=ROOT, **variables)
    assert result.returncode == 0, result.stderr
    return result.stderr.splitlines()


def test_a_client_cannot_forge_a_line() -> None:
    lines = _lines()
    assert len(lines) == 4
    assert all(line.isprintable() for line in lines)
    assert all(line.startswith("timestamp=") and "role=worker-0" in line for line in lines)
    assert r"forged\r\x1b[31m\u2028x" in lines[0].replace("\\\\", "\\")


def test_a_callback_that_fails_is_logged_with_an_id() -> None:
    assert "ZeroDivisionError" in _lines()[3]
    assert "fault=" in _lines()[3]


@pytest.mark.parametrize("spelling", ["json", "JSON"])
def test_json_is_an_object_for_each_line(spelling: str) -> None:
    lines = [json.loads(line) for line in _lines(MAILADMIN_LOG=spelling)]
    assert lines[0]["login"].startswith("a\nlevel=error")
    assert (lines[0]["event"], lines[0]["number"], lines[0]["level"]) == ("hello", 3, "info")
    assert lines[1]["event"] == r"foreign 'x\ny'"
