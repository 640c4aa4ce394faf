"""`manage.py setup` and `manage.py doctor`, on the tests' own database (tests/server has them as programs)."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from mailadmin.accounts.models import Account
from mailadmin.routing.models import Route, Smarthost
from mailadmin.server import services as server
from tests.cast import ADMINISTRATOR
from tests.commands.calling import manage

pytestmark = pytest.mark.django_db(databases="__all__")
NAMES = ("--hostname", "mail.example.org", "--domain", "example.org", "--admin", ADMINISTRATOR.address)


def test_the_generated_password_of_the_administrator_is_printed_once() -> None:
    first = manage("setup", *NAMES, "--json")
    assert Account.objects.get().check_password(first.json["password"])
    again = manage("setup", *NAMES, "--json")
    assert again.code == 0
    assert again.json["changed"] is False
    assert "password" not in again.json
    assert Account.objects.get().check_password(first.json["password"])


def test_a_password_from_standard_input_is_not_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(ADMINISTRATOR.password + "\n"))
    shown = manage("setup", *NAMES, "--admin-password-file", "-", "--json")
    assert shown.json == {
        "hostname": "mail.example.org",
        "domain": "example.org",
        "administrator": ADMINISTRATOR.address,
        "via": "mx",
        "changed": True,
    }
    assert Account.objects.get().check_password(ADMINISTRATOR.password)


@pytest.mark.parametrize(
    ("flags", "via"),
    [((), "mx"), (("--local-only",), "none"), (("--smarthost", "relay:587"), "smarthost")],
)
def test_mail_leaves_as_it_was_said(flags: tuple[str, ...], via: str) -> None:
    assert manage("setup", *NAMES, *flags).code == 0
    assert Route.objects.get(pattern="*").via == via


def test_a_smarthost_is_set_up_with_its_login(tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("pass\n")
    flags = ("--smarthost", "relay.example.net:587", "--smarthost-tls", "starttls", "--smarthost-user", "u")
    assert manage("setup", *NAMES, *flags, "--smarthost-password-file", str(password)).code == 0
    relay = Smarthost.objects.get()
    assert (relay.host, relay.port, relay.tls, relay.username) == ("relay.example.net", 587, "starttls", "u")
    assert relay.password_sealed


def test_another_setup_is_refused_and_says_where_to_go() -> None:
    manage("setup", *NAMES)
    refused = manage("setup", *NAMES, "--local-only")
    assert refused.code == 1
    assert "set up already" in refused.error
    assert Route.objects.get(pattern="*").via == "mx"


def test_two_passwords_do_not_come_through_one_standard_input() -> None:
    flags = ("--smarthost", "relay:587", "--smarthost-user", "u", "--smarthost-password-file", "-")
    refused = manage("setup", *NAMES, "--admin-password-file", "-", *flags)
    assert refused.code == 2
    assert not server.is_set_up()


def test_a_password_without_tls_is_refused_and_nothing_is_set_up(tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("pass\n")
    flags = ("--smarthost", "relay:25", "--smarthost-tls", "none", "--smarthost-user", "u")
    refused = manage("setup", *NAMES, *flags, "--smarthost-password-file", str(password))
    assert refused.code == 1
    assert "readable on its way" in refused.error
    assert not server.is_set_up()
    assert not Account.objects.exists()


def test_the_doctor_lists_findings_as_objects_and_as_words() -> None:
    manage("setup", *NAMES)
    shown = manage("doctor", "--json")
    assert shown.code == 1  # no daemon runs here
    stopped = next(finding for finding in shown.json if finding["id"] == "daemon.stopped")
    assert (stopped["level"], stopped["command"]) == ("problem", "manage.py up")
    said = manage("doctor")
    assert said.code == 1
    assert "[daemon.stopped]" in said.out
