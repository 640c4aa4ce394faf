"""The import contracts of pyproject.toml hold, and each of them would notice a breach."""

from __future__ import annotations

import graphlib
import shutil
from pathlib import Path
from typing import Final

import grimp
import pytest

from tests.ground.checkout import PYTHON, ROOT, run

LINT: Final = "from importlinter.cli import lint_imports_command; lint_imports_command()"
# contract, a module of ours, and a line that breaks the contract when it stands in that module
BREACHES: Final = [
    ("stored-and-decided", "mailadmin/queue/services.py", "import smtpd.store"),
    ("stored-and-decided", "mailadmin/accounts/models.py", "from aiosmtpd import smtp"),
    ("store-is-the-door", "smtpd/limits.py", "from django.db import connection"),
    ("store-is-the-door", "smtpd/sessions/__init__.py", "from mailadmin.accounts.models import Account"),
    ("pure", "mailadmin/sealing.py", "from django.conf import settings"),
    ("pure", "mailadmin/policy/snapshot.py", "import mailadmin.accounts.models"),
    ("sans-io", "smtpd/smtp/replies.py", "import asyncio"),
    ("sans-io", "smtpd/sasl/__init__.py", "import secrets"),
    ("services-without-loop", "mailadmin/generation/services.py", "import asyncio"),
    ("generation", "mailadmin/generation/models.py", "import mailadmin.queue.models"),
    ("policy", "mailadmin/routing/models.py", "import mailadmin.policy.snapshot"),
    ("one-direction", "mailadmin/accounts/models.py", "import mailadmin.accounts.services"),
    ("daemon-without-cycles", "smtpd/smtp/replies.py", "import smtpd.sessions.mail, smtpd.limits, smtpd.store"),
]


def test_every_import_contract_is_kept() -> None:
    result = run(PYTHON, "-c", LINT, "--no-logo", "--no-cache")
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the packages and of their contracts, for breaking."""
    folder = tmp_path_factory.mktemp("breach")
    for package in ("mailadmin", "smtpd"):
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__", "locale"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


@pytest.mark.parametrize(("contract", "module", "line"), BREACHES, ids=[f"{c}-{m}" for c, m, _ in BREACHES])
def test_a_breach_of_a_contract_is_found(copy: Path, contract: str, module: str, line: str) -> None:
    path = copy / module
    before = path.read_text()
    path.write_text(f"{before}\n{line}\n")
    try:
        result = run(PYTHON, "-c", LINT, "--no-logo", "--no-cache", "--contract", contract, cwd=copy)
    finally:
        path.write_text(before)
    assert result.returncode == 1, result.stdout + result.stderr
    assert "1 broken" in result.stdout


def _first_cycle(imports: dict[str, set[str]]) -> list[str]:
    """Return the modules of a cycle in order, or nothing when there is none."""
    try:
        graphlib.TopologicalSorter(imports).prepare()
    except graphlib.CycleError as error:
        return [str(module) for module in error.args[1]]
    return []


def test_no_module_imports_itself_by_a_detour() -> None:
    graph = grimp.build_graph("mailadmin", "smtpd", cache_dir=None)
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    assert len(imports) > 100
    assert _first_cycle(imports) == []


def test_a_cycle_would_be_found() -> None:
    assert _first_cycle({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) != []
