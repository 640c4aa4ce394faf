"""The page of sign-ins: who, when, from where, how, with what result, and the reason in words."""

from __future__ import annotations

from datetime import timedelta
from html import unescape

import pytest
from django.test import Client
from django.utils import timezone, translation

from mailadmin.activity import services
from mailadmin.activity.models import SignIn
from mailadmin.activity.sign_in_reasons import OK, REASONS, reason
from mailadmin.queue.envelopes import SignInEvent
from tests.cast import BECKY, OUTLOOK
from tests.panel import people

pytestmark = pytest.mark.django_db


def _add(login: str, result: str = OK, seconds: int = 0, **fields: object) -> None:
    values = {"listener": "submission", "client": "192.0.2.7", "mechanism": "PLAIN", "tls": "TLSv1.3 X", **fields}
    event = SignInEvent(at=timezone.now() + timedelta(seconds=seconds), login=login, result=result, **values)  # type: ignore[arg-type]  # strings and an id
    services.add_sign_ins([event])


def _page(browser: Client, query: str = "") -> str:
    response = browser.get(f"/sign-ins/{query}")
    assert response.status_code == 200
    return unescape(response.content.decode())


def test_a_row_says_who_when_where_how_and_what_came_of_it(panel: Client) -> None:
    account = people.add(BECKY)
    _add(account.address, account=account.pk, client="2001:db8::7", mechanism="LOGIN", helo="BECKY-PC")
    page = _page(panel)
    for text in ("ichiro@example.org", "2001:db8::7", "BECKY-PC", "submission", "LOGIN", "TLSv1.3 X", "Signed in"):
        assert text in page
    assert f'href="/accounts/{account.pk}/"' in page


@pytest.mark.parametrize("result", sorted(set(REASONS) - {OK}))
@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.usefixtures("panel")
def test_a_refusal_has_its_reason_in_both_languages(result: str, language: str) -> None:
    _add("somebody@example.org", result)
    browser = people.signed_in(people.add(OUTLOOK_ADMINISTRATOR), language)
    with translation.override(language):
        label, why = str(reason(result).label), str(reason(result).why)
    page = _page(browser)
    assert label in page
    assert why in page
    assert (label + why).isascii() == (language == "en")


OUTLOOK_ADMINISTRATOR = type(OUTLOOK)(OUTLOOK.name, OUTLOOK.address, OUTLOOK.password, is_administrator=True)


def test_a_result_without_words_of_its_own_still_reads(panel: Client) -> None:
    _add("x", "something-new")
    assert "The sign-in was refused." in _page(panel)


def test_the_list_can_be_filtered_by_result_account_and_client(panel: Client) -> None:
    account = people.add(BECKY)
    _add(account.address, account=account.pk)
    _add("root", "unknown", client="203.0.113.9")
    _add(account.address, "password", account=account.pk, client="198.51.100.4")

    def logins(query: str) -> list[str]:
        rows = panel.get(f"/sign-ins/{query}").context["rows"]
        return [f"{row.login} {row.result}" for row, _explain in rows]

    assert logins("?result=ok") == ["ichiro@example.org ok"]
    assert logins("?result=refused") == ["ichiro@example.org password", "root unknown"]
    assert logins("?result=unknown") == ["root unknown"]
    assert logins("?q=ichiro") == ["ichiro@example.org password", "ichiro@example.org ok"]
    assert logins("?q=Becky&result=ok") == ["ichiro@example.org ok"]
    assert logins("?q=203.0.113.9") == ["root unknown"]
    assert logins("?q=203.0") == ["root unknown"]
    assert logins("?result=nonsense") == ["ichiro@example.org password", "root unknown", "ichiro@example.org ok"]


def test_the_reason_is_told_once_for_a_run_of_knocks_of_one_client(panel: Client) -> None:
    for at, login in enumerate(("root", "admin", "test")):
        _add(login, "unknown", at, client="203.0.113.9")
    page = _page(panel)
    assert page.count("Unknown account</span>") == 3
    assert page.count("There is no account with this address.") == 1


def test_the_first_page_is_live_and_a_filtered_one_is_not(panel: Client) -> None:
    _add("root", "unknown")
    newest = SignIn.objects.get().pk
    page = _page(panel)
    assert 'data-stream="/live/?show=sign-ins"' in page
    assert f'data-stream-after="{newest}.0.0"' in page
    assert 'data-stream="' not in _page(panel, "?result=unknown")


def test_an_empty_page_says_what_it_will_show_and_waits_for_it(panel: Client) -> None:
    page = _page(panel)
    assert "Nobody has signed in yet" in page
    assert 'data-stream="/live/?show=sign-ins"' in page
    assert "Nothing found" in _page(panel, "?q=nobody")


def test_fifty_are_on_a_page(panel: Client) -> None:
    for at in range(51):
        _add(f"user{at:02}", "unknown", at)
    assert len(panel.get("/sign-ins/").context["rows"]) == 50
    assert len(panel.get("/sign-ins/?page=2").context["rows"]) == 1


def test_what_a_stranger_chose_is_text(panel: Client) -> None:
    evil = "<script>alert(1)</script>\u202e\x1b"
    _add(evil, "unknown", client=evil, helo=evil, mechanism=evil[:32], tls=evil, listener=evil)
    page = panel.get("/sign-ins/").content.decode()
    assert "<script>alert" not in page
    assert "\u202e" not in page.replace("%E2%80%AE", "")
    assert "\x1b" not in page
