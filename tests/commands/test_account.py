"""`manage.py account`."""

from __future__ import annotations

import io
from datetime import datetime
from pathlib import Path

import pytest

from mailadmin.accounts.models import Account
from mailadmin.activity.models import Entry
from mailadmin.queue import services as queue
from mailadmin.queue.envelopes import NewMessage, NewRecipient
from mailadmin.server import services as server
from tests.cast import ADMINISTRATOR, BECKY
from tests.commands.calling import manage

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _initialised(now: datetime) -> None:
    server.initialise(now)


@pytest.fixture
def password_file(tmp_path: Path) -> str:
    """A file with Becky's password."""
    path = tmp_path / "password"
    path.write_text(BECKY.password + "\n")
    return str(path)


def test_a_generated_password_is_printed_once_and_works() -> None:
    made = manage("account", "add", BECKY.address, "--generate", "--json").json
    assert Account.objects.get().check_password(made["password"])
    assert "password" not in manage("account", "show", BECKY.address, "--json").json
    said = manage("account", "password", BECKY.address)
    assert Account.objects.get().check_password(said.out.split()[-1])


def test_a_password_from_a_file_is_not_printed(password_file: str) -> None:
    made = manage("account", "add", BECKY.address, "--password-file", password_file, "--json")
    assert "password" not in made.json
    assert BECKY.password not in made.out
    assert Account.objects.get().check_password(BECKY.password)


def test_a_password_comes_through_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(BECKY.password + "\n"))
    assert manage("account", "add", BECKY.address, "--password-file", "-").code == 0
    assert Account.objects.get().check_password(BECKY.password)


def test_an_account_is_added_with_all_there_is_to_say() -> None:
    arguments = ("--sender", "shop@example.org", "--sender", "*@example.net", "--name", "Ichiro", "--note", "n")
    manage("account", "add", "Ichiro@Example.org", *arguments, "--quota", "1000", "--administrator")
    shown = manage("account", "show", "ICHIRO@example.org", "--json").json
    assert shown["senders"] == [BECKY.address, "shop@example.org", "*@example.net"]
    assert (shown["name"], shown["note"], shown["quota"], shown["administrator"]) == ("Ichiro", "n", 1000, True)
    assert (shown["suspended"], shown["last_sign_in"]) == (False, None)


def test_a_list_is_an_array_even_when_it_is_empty() -> None:
    assert manage("account", "list", "--json").json == []
    assert "no accounts yet" in manage("account", "list").out
    manage("account", "add", BECKY.address)
    assert [row["address"] for row in manage("account", "list", "--json").json] == [BECKY.address]
    assert BECKY.address in manage("account", "list").out


def test_json_may_stand_before_the_action_too() -> None:
    assert manage("account", "--json", "list").json == []


def test_a_list_is_searched_and_filtered() -> None:
    manage("account", "add", BECKY.address)
    manage("account", "add", ADMINISTRATOR.address, "--administrator")
    found = manage("account", "list", "--search", "ichi", "--json").json
    assert [row["address"] for row in found] == [BECKY.address]
    found = manage("account", "list", "--show", "administrators", "--json").json
    assert [row["address"] for row in found] == [ADMINISTRATOR.address]


def test_suspend_and_resume_do_what_they_say() -> None:
    manage("account", "add", BECKY.address)
    assert manage("account", "suspend", BECKY.address, "--json").json["suspended"] is True
    assert manage("account", "resume", BECKY.address, "--json").json["suspended"] is False
    actors = set(Entry.objects.exclude(actor="system").values_list("actor", flat=True))
    assert actors == {"command line"}


def test_an_edit_changes_what_is_given_and_no_more() -> None:
    manage("account", "add", BECKY.address, "--name", "Ichiro", "--sender", "shop@example.org", "--quota", "9")
    manage("account", "edit", BECKY.address, "--note", "koto", "--administrator")
    shown = manage("account", "show", BECKY.address, "--json").json
    assert (shown["name"], shown["note"], shown["quota"], shown["administrator"]) == ("Ichiro", "koto", 9, True)
    assert len(shown["senders"]) == 2
    manage("account", "edit", BECKY.address, "--quota", "0", "--sender", "club@example.org")
    shown = manage("account", "show", BECKY.address, "--json").json
    assert (shown["quota"], shown["senders"]) == (None, [BECKY.address, "club@example.org"])


def test_an_account_with_waiting_mail_is_removed_when_its_mail_may_go(now: datetime) -> None:
    manage("account", "add", BECKY.address)
    recipients = [NewRecipient("friend@example.net", "example.net")]
    account = Account.objects.get().pk
    queue.enqueue([NewMessage(1, BECKY.address, recipients, 1, now, body=b"x", account=account)], now=now)
    refused = manage("account", "remove", BECKY.address)
    assert refused.code == 1
    assert "still waits" in refused.error
    gone = manage("account", "remove", BECKY.address, "--cancel-mail", "--json")
    assert gone.json["address"] == BECKY.address
    assert manage("account", "list", "--json").json == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("add", "ichiro"), "is not an address"),
        (("add", "hanako@example.org"), "already an account"),
        (("add", "x@example.org", "--sender", "*"), "neither an address nor a pattern"),
        (("add", "x@example.org", "--password-file", "/nonexistent"), "cannot be read"),
        (("show", "nobody@example.org"), "There is no account nobody@example.org"),
        (("suspend", "nobody@example.org"), "There is no account"),
        (("suspend", "hanako@example.org"), "only administrator"),
        (("remove", "hanako@example.org"), "only administrator"),
        (("edit", "hanako@example.org", "--no-administrator"), "only administrator"),
        (("edit", "hanako@example.org", "--quota", "-1"), "quota"),
        (("password", "hanako@example.org", "--password-file", "/dev/null"), "is empty"),
    ],
)
def test_a_refusal_is_words_and_one(arguments: tuple[str, ...], words: str) -> None:
    manage("account", "add", ADMINISTRATOR.address, "--administrator")
    refused = manage("account", *arguments, "--json")
    assert (refused.code, refused.out) == (1, "")
    assert words in refused.error
