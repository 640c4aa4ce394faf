"""The bench runs, on a small scale: it sets a product up, loads it, and tells what it measured."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.ground.checkout import PYTHON, ROOT, run

CANNOT_BUILD = 2


def test_the_bench_measures_and_writes_its_page(tmp_path: Path) -> None:
    page = tmp_path / "results.md"
    url = os.environ.get("DATABASE_URL", "")
    variables: dict[str, str] = {"DATABASE_URL": url} if url else {}
    result = run(
        PYTHON, "-m", "bench", "--accounts", "2", "--seconds", "0.2", "--rounds", "1", "--idle", "5",
        "--output", str(page), cwd=ROOT, **variables,
    )  # fmt: skip
    if result.returncode == CANNOT_BUILD:
        pytest.skip(result.stderr)
    assert result.returncode == 0, result.stderr
    text = page.read_text()
    assert ("PostgreSQL" if url else "SQLite") in text
    assert "5 idle signed-in TLS connections" in text
    for number in ("1 client ", "10 clients", "50 clients"):
        row = next(line for line in text.splitlines() if f"sessions, {number}" in line)
        assert float(row.split("|")[2]) > 0
    assert str(ROOT) not in text
