"""The name smtpd leads to our package, however the product is started, and a wrong one stops the start.

Python 3.11 still has a standard-library module of that name.
"""

from __future__ import annotations

import sys
from pathlib import Path

import smtpd
from tests.ground.checkout import PYTHON, ROOT, run

OURS = str(ROOT / "smtpd" / "__init__.py")
ASK = "import smtpd; print(smtpd.__file__)"


def test_under_pytest_it_is_ours() -> None:
    assert smtpd.__file__ == OURS


def test_for_python_in_the_checkout_it_is_ours() -> None:
    assert run(PYTHON, "-c", ASK).stdout.strip() == OURS


def test_through_manage_py_it_is_ours_from_any_folder(tmp_path: Path) -> None:
    result = run(
        PYTHON, ROOT / "manage.py", "shell", "-v0", "-c", ASK, cwd=tmp_path, MAILADMIN_HOME=str(tmp_path / "home")
    )
    assert result.stdout.strip().splitlines()[-1:] == [OURS], result.stderr


def test_under_gunicorn_the_panel_loads(tmp_path: Path) -> None:
    gunicorn = Path(PYTHON).with_name("gunicorn")
    result = run(
        gunicorn, "--check-config", "--no-control-socket", "mailadmin.wsgi:application", MAILADMIN_HOME=str(tmp_path)
    )
    assert result.returncode == 0, result.stderr


def test_for_mypy_started_as_a_module_it_is_ours() -> None:
    # The stub of the standard library's module has no such name, and is no package.
    code = "import smtpd.delivery.agent; reveal_type(smtpd.delivery.agent.Body)"
    result = run(PYTHON, "-m", "mypy", "--cache-dir", "/dev/null", "--follow-imports", "silent", "-c", code)
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_settings_refuse_another_module_of_that_name(tmp_path: Path) -> None:
    (tmp_path / "smtpd.py").write_text("")
    result = run(
        PYTHON, "-c", "import mailadmin.settings", cwd=tmp_path, PYTHONPATH=str(ROOT), MAILADMIN_HOME=str(tmp_path)
    )
    assert result.returncode == 1
    assert "The name 'smtpd' leads to another module" in result.stderr
    assert str(ROOT) in result.stderr


def test_the_settings_refuse_another_package_of_that_name(tmp_path: Path) -> None:
    (tmp_path / "smtpd").mkdir()
    (tmp_path / "smtpd" / "__init__.py").write_text("")
    result = run(
        PYTHON, "-c", "import mailadmin.settings", cwd=tmp_path, PYTHONPATH=str(ROOT), MAILADMIN_HOME=str(tmp_path)
    )
    assert "The name 'smtpd' leads to another module" in result.stderr


if sys.version_info < (3, 12):  # later ones have lost that module

    def test_the_settings_refuse_the_module_of_the_standard_library(tmp_path: Path) -> None:
        code = f"import sys; sys.path.append({str(ROOT)!r}); import mailadmin.settings"
        result = run(PYTHON, "-c", code, cwd=tmp_path, MAILADMIN_HOME=str(tmp_path))
        assert "The name 'smtpd' leads to another module" in result.stderr
