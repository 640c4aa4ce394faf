"""A message in a Maildir outlives a crash: the order of system calls, as strace saw it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.ground.checkout import ROOT
from tests.ground.requirements import linux, program

DELIVER = """
import sys
from pathlib import Path
from smtpd.delivery.maildir_files import MaildirFile
file = MaildirFile(Path(sys.argv[1]) / "box")
file.open(b"Return-Path: <>\\r\\n")
file.write(b"Subject: tea\\r\\n\\r\\n")
file.commit()
"""


def test_file_then_name_then_folder_are_on_disk(tmp_path: Path) -> None:
    linux()
    log = tmp_path / "log"
    strace = [program("strace"), "-f", "-y", "-e", "trace=mkdir,fsync,link,linkat,rename", "-o", str(log)]
    subprocess.run([*strace, sys.executable, "-c", DELIVER, str(tmp_path)], cwd=ROOT, check=True, timeout=60)
    root = re.escape(str(tmp_path))
    lines = "\n".join(line for line in log.read_text().splitlines() if str(tmp_path) in line and "= 0" in line)
    # Each folder is synced into the one above it, then the file, its name in new, and new itself.
    order = "".join(
        rf'.*mkdir\("{root}/{folder}", 0700\).*\n.*fsync\(\d+<{root}{above}>\).*\n'
        for folder, above in (("box", ""), ("box/tmp", "/box"), ("box/new", "/box"), ("box/cur", "/box"))
    )
    order += rf".*fsync\(\d+<{root}/box/tmp/[^>]+>\).*\n.*link\(\"{root}/box/tmp/.*\n.*fsync\(\d+<{root}/box/new>\).*"
    assert re.fullmatch(order, lines), lines
