"""The first run in the browser: the one-time link, three pages, no script, both languages."""

from __future__ import annotations

import re
import socket
from datetime import timedelta
from html import unescape

import pytest
from django.test import Client
from django.utils import timezone

from mailadmin.accounts.models import Account
from mailadmin.activity.models import Entry
from mailadmin.routing.models import Domain, Route
from mailadmin.server import first_run, services
from mailadmin.server.models import SetupToken
from tests.cast import ADMINISTRATOR, BECKY

pytestmark = pytest.mark.django_db
ME = {"address": ADMINISTRATOR.address, "password": ADMINISTRATOR.password, "name": ADMINISTRATOR.name}
LOCAL = {"hostname": "mail.example.org", "domain": "example.org", "via": "none", "rows": "0"}
RELAY = {
    **LOCAL,
    "via": "smarthost",
    "rows": "1",
    "s0-host": "relay.example.net",
    "s0-port": "587",
    "s0-tls": "starttls",
    "s0-username": "household",
    "s0-password": "secret",
}


@pytest.fixture
def link() -> str:
    """The one-time link of a fresh server."""
    now = timezone.now()
    services.initialise(now)
    return f"/setup/{services.new_setup_token(now)}/"


@pytest.fixture
def inside(link: str, client: Client) -> Client:
    """A browser that has opened the link."""
    client.get(link)
    return client


@pytest.fixture
def second_page(inside: Client) -> Client:
    """A browser in which page 1 is done."""
    inside.post("/setup/1/", ME)
    return inside


def _text(browser: Client, path: str, values: dict[str, str] | None = None, status: int = 200) -> str:
    response = browser.get(path) if values is None else browser.post(path, values)
    assert response.status_code == status
    return unescape(response.content.decode())


def test_the_link_gives_way_to_an_address_without_its_secret(link: str, client: Client) -> None:
    response = client.get(link)
    assert (response.status_code, response.headers["Location"]) == (302, "/setup/1/")
    assert link.split("/")[2] not in _text(client, "/setup/1/")


@pytest.mark.parametrize("path", ["/setup/wrong-token/", "/setup/1/"])
@pytest.mark.usefixtures("link")
def test_without_the_link_nothing_opens(client: Client, path: str) -> None:
    assert "does not work any more" in _text(client, path, status=410)
    assert client.post("/setup/1/", ME).status_code == 410
    assert not Account.objects.exists()


def test_a_link_is_good_for_an_hour_and_until_the_next_one(link: str, client: Client) -> None:
    SetupToken.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert client.get(link).status_code == 410
    older = services.new_setup_token(timezone.now())
    services.new_setup_token(timezone.now())
    assert client.get(f"/setup/{older}/").status_code == 410


def test_what_the_link_opened_closes_after_an_hour(inside: Client) -> None:
    session = inside.session
    now = timezone.now()
    first_run.enter(session, now)
    assert first_run.is_inside(session, now + timedelta(minutes=59))
    assert not first_run.is_inside(session, now + timedelta(minutes=61))


def test_the_whole_run_makes_a_server_that_sends_through_the_smarthost(inside: Client) -> None:
    assert inside.post("/setup/1/", ME).headers["Location"] == "/setup/2/"
    account = Account.objects.get()
    assert account.is_administrator
    assert account.check_password(ADMINISTRATOR.password)
    assert inside.post("/setup/2/", RELAY).headers["Location"] == "/setup/3/"
    assert services.get().hostname == "mail.example.org"
    assert Domain.objects.get().name == "example.org"
    assert Route.objects.get(pattern="*").smarthosts.get().host == "relay.example.net"
    assert not services.is_set_up()
    assert inside.post("/setup/3/", {"who": "me"}).headers["Location"] == f"/accounts/{account.pk}/"
    assert services.is_set_up()
    page = _text(inside, f"/accounts/{account.pk}/")
    assert "The server is set up." in page
    assert "Waiting for the first sign-in…" in page
    assert "server.setup" in Entry.objects.values_list("verb", flat=True)


def test_an_empty_password_takes_the_suggested_one(inside: Client) -> None:
    found = re.search(r'data-copy="([^"]+)"', _text(inside, "/setup/1/"))
    assert found
    inside.post("/setup/1/", {"address": ADMINISTRATOR.address, "password": "", "suggestion": found[1]})
    assert Account.objects.get().check_password(found[1])


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({**ME, "address": "hanako"}, "“hanako” is not an address"),
        ({**ME, "password": "short"}, "at least 12 characters"),
        ({**ME, "address": ""}, "This field is required."),
    ],
)
def test_page_one_says_what_is_wrong(inside: Client, values: dict[str, str], words: str) -> None:
    assert words in _text(inside, "/setup/1/", values, status=422)
    assert not Account.objects.exists()


def test_page_two_suggests_the_domain_and_the_name_by_which_it_was_reached(second_page: Client) -> None:
    page = unescape(second_page.get("/setup/2/", headers={"host": "mail.home.arpa:8080"}).content.decode())
    assert 'value="example.org"' in page
    assert 'value="mail.home.arpa"' in page


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        ("mail.home.arpa:8443", "mail.home.arpa"),
        ("localhost:8080", None),
        ("192.0.2.1:8443", None),
        ("[2001:db8::1]:8443", None),
    ],
)
def test_a_host_name_is_suggested_but_never_an_address(
    monkeypatch: pytest.MonkeyPatch, asked: str, name: str | None
) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "kitchen")
    assert first_run.suggested_hostname(asked, "example.org") == (name or "mail.example.org")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({**LOCAL, "hostname": "no name"}, "is not a server name"),
        ({**LOCAL, "domain": "no domain"}, "is not a mail domain"),
        ({**RELAY, "s0-host": "", "s0-username": "", "s0-password": ""}, "Type the smarthost’s server name below"),
        ({**RELAY, "s0-port": "70000"}, "from 1 to 65535"),
        ({**RELAY, "s0-tls": "none"}, "TLS"),
        ({**LOCAL, "via": "pigeon"}, "Select a valid choice"),
    ],
)
def test_page_two_says_what_is_wrong_and_saves_nothing(second_page: Client, values: dict[str, str], words: str) -> None:
    assert words in _text(second_page, "/setup/2/", values, status=422)
    assert not Domain.objects.exists()


def test_page_two_can_be_corrected(second_page: Client) -> None:
    second_page.post("/setup/2/", RELAY)
    second_page.post("/setup/2/", {**LOCAL, "domain": "example.com", "hostname": "mail.example.com"})
    assert [domain.name for domain in Domain.objects.all()] == ["example.com"]
    route = Route.objects.get(pattern="*")
    assert (route.via, route.smarthosts.count()) == ("none", 0)
    assert 'value="mail.example.com"' in _text(second_page, "/setup/2/")


def test_page_three_comes_after_page_two(second_page: Client) -> None:
    assert second_page.get("/setup/3/").headers["Location"] == "/setup/2/"


def test_another_account_gets_a_password_that_is_shown_once(second_page: Client) -> None:
    second_page.post("/setup/2/", LOCAL)
    assert "Type the address" in _text(second_page, "/setup/3/", {"who": "other"}, status=422)
    assert "already an account" in _text(
        second_page, "/setup/3/", {"who": "other", "address": ADMINISTRATOR.address}, status=422
    )
    assert not services.is_set_up()
    second_page.post("/setup/3/", {"who": "other", "address": BECKY.address})
    becky = Account.objects.get(address=BECKY.address)
    shown = re.findall(r'data-copy="([^"]+)"', _text(second_page, f"/accounts/{becky.pk}/"))
    assert any(becky.check_password(text) for text in shown)
    assert not becky.is_administrator


def test_after_the_run_the_link_says_that_it_is_done(link: str, second_page: Client) -> None:
    second_page.post("/setup/2/", LOCAL)
    second_page.post("/setup/3/", {"who": "me"})
    for path in (link, "/setup/1/"):
        assert "This server is set up" in _text(second_page, path, status=410)
    for path in ("/setup/2/", "/setup/3/"):
        assert second_page.get(path).headers["Location"] == "/"
    assert "This server is set up" in _text(Client(), link, status=410)


def test_the_run_is_in_the_browsers_language(link: str) -> None:
    browser = Client(headers={"accept-language": "ja"})
    browser.get(link)
    assert "ようこそ" in _text(browser, "/setup/1/")
    browser.post("/setup/1/", ME)
    assert "メールドメイン" in _text(browser, "/setup/2/")
