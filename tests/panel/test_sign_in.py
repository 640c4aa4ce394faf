"""Signing in to the panel: who gets in, what is written down, and how often one may try."""

from __future__ import annotations

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse

from mailadmin.accounts import services as accounts
from mailadmin.accounts.models import Account
from mailadmin.activity.models import SignIn
from mailadmin.panel import sign_in, throttle
from mailadmin.server.models import Server
from tests.cast import ADMINISTRATOR, BECKY, STRANGER, SUSPENDED, Person
from tests.panel import people

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("administrator")]
LOGIN = "/login/"


def _try(browser: Client, person: Person, password: str = "", **more: str) -> int:
    values = {"address": person.address, "password": password or person.password, **more}
    return browser.post(LOGIN, values).status_code


def test_an_administrator_gets_in_and_it_is_written_down(administrator: Account, client: Client) -> None:
    response = client.post(LOGIN, {"address": " Hanako@EXAMPLE.org ", "password": ADMINISTRATOR.password})
    assert (response.status_code, response.headers["Location"]) == (302, "/")
    assert client.get(reverse("accounts:list")).status_code == 200
    event = SignIn.objects.get()
    assert (event.account, event.listener, event.client, event.result) == (administrator, "panel", "127.0.0.1", "ok")


@pytest.mark.parametrize(
    ("person", "password", "result"),
    [(ADMINISTRATOR, "wrong", "password"), (STRANGER, "wrong", "unknown"), (SUSPENDED, "", "suspended")],
)
def test_a_refusal_is_written_down_with_its_reason(client: Client, person: Person, password: str, result: str) -> None:
    people.add(SUSPENDED)
    assert _try(client, person, password) == 422
    assert SignIn.objects.get().result == result
    assert client.get(reverse("accounts:list")).status_code == 302


def test_a_wrong_password_and_an_unknown_address_read_the_same(client: Client) -> None:
    pages = [
        client.post(LOGIN, {"address": person.address, "password": "wrong"})
        .content.decode()
        .replace(person.address, "")
        for person in (ADMINISTRATOR, STRANGER)
    ]
    texts = [page.partition('role="alert"')[2].partition("</div>")[0] for page in pages]
    assert texts[0] == texts[1] != ""


def test_who_is_no_administrator_reads_why(client: Client) -> None:
    people.add(BECKY)
    response = client.post(LOGIN, {"address": BECKY.address, "password": BECKY.password})
    assert response.status_code == 403
    assert "is not an administrator" in response.content.decode()
    assert SignIn.objects.get().result == "administrator"
    assert settings.SESSION_COOKIE_NAME not in client.cookies


def test_the_session_has_another_key_after_signing_in(client: Client) -> None:
    session = client.session
    session["before"] = True
    session.save()
    before = session.session_key
    _try(client, ADMINISTRATOR)
    assert client.session.session_key not in (None, before)


def test_before_the_first_run_the_page_says_where_to_begin(client: Client) -> None:
    assert "one-time link" not in client.get(LOGIN).content.decode()
    Server.objects.update(set_up_at=None)
    assert "one-time link" in client.get(LOGIN).content.decode()


def test_logging_out_takes_a_post_and_ends_the_session(panel: Client) -> None:
    assert panel.get("/logout/").status_code == 405
    assert panel.post("/logout/").status_code == 302
    assert panel.get(reverse("accounts:list")).status_code == 302


@pytest.mark.parametrize(
    ("wanted", "target"),
    [
        ("/mail/?q=a", "/mail/?q=a"),
        ("https://elsewhere.example.net/", "/"),
        ("//elsewhere.example.net", "/"),
        ("", "/"),
    ],
)
def test_signing_in_leads_back_but_never_elsewhere(client: Client, wanted: str, target: str) -> None:
    values = {"address": ADMINISTRATOR.address, "password": ADMINISTRATOR.password, "next": wanted}
    assert client.post(LOGIN, values).headers["Location"] == target


def test_a_new_password_ends_the_sessions_of_the_old_one(administrator: Account, panel: Client) -> None:
    accounts.set_password(administrator, "another-password-5512", actor="test", now=people.BEGIN)
    assert panel.get(reverse("accounts:list")).status_code == 302


def test_after_too_many_wrong_passwords_the_right_one_has_to_wait(client: Client) -> None:
    for _failure in range(throttle.FAILURES):
        assert _try(client, ADMINISTRATOR, "wrong") == 422
    response = client.post(LOGIN, {"address": ADMINISTRATOR.address, "password": ADMINISTRATOR.password})
    assert "Try again in 5 minutes." in response.content.decode()
    assert SignIn.objects.count() == throttle.FAILURES
    other = Client(REMOTE_ADDR="192.0.2.9")
    assert _try(other, ADMINISTRATOR) == 302


def test_while_all_turns_are_taken_the_page_says_so(client: Client) -> None:
    busy = sign_in.throttle
    with busy.turn(), busy.turn(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(busy, "patience", 0.01)
        response = client.post(LOGIN, {"address": ADMINISTRATOR.address, "password": ADMINISTRATOR.password})
    assert "Try again in a few seconds." in response.content.decode()
    assert _try(client, ADMINISTRATOR) == 302


def test_an_accounts_language_comes_with_it(administrator: Account, client: Client) -> None:
    accounts.edit(administrator, actor="test", now=people.BEGIN, language="ja")
    _try(client, ADMINISTRATOR)
    assert 'lang="ja"' in client.get(reverse("accounts:list")).content.decode()


def test_a_first_run_that_was_left_half_way_goes_on_after_signing_in(client: Client) -> None:
    Server.objects.update(set_up_at=None)
    response = client.post(LOGIN, {"address": ADMINISTRATOR.address, "password": ADMINISTRATOR.password})
    assert response.headers["Location"] == reverse("setup:server")
