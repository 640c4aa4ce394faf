"""The ways out in the settings: smarthosts in order, their passwords, and the Test button."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from html import unescape
from typing import Final

import pytest
from django.test import Client
from django.utils import timezone

from mailadmin import secretbox
from mailadmin.activity.models import Entry
from mailadmin.routing import services
from mailadmin.routing.models import Route, RouteTest, Smarthost
from mailadmin.routing.services import SmarthostInput

pytestmark = pytest.mark.django_db
Beat = Callable[..., None]
ROUTE: Final = "/settings/delivery/route/*/"
PASSWORD: Final = "hunter2-of-the-provider"
HTMX: Final = {"HX-Request": "true"}
ROW: Final = {"host": "smtp.example.net", "port": "587", "tls": "starttls", "username": "me", "password": PASSWORD}


def _form(*rows: Mapping[str, str], via: str = "smarthost", **more: str) -> dict[str, str]:
    values = {"via": via, "rows": str(len(rows)), **more}
    for at, row in enumerate(rows):
        values |= {f"s{at}-{field}": value for field, value in row.items()}
    return values


def _post(browser: Client, values: dict[str, str], path: str = ROUTE, status: int = 200) -> str:
    response = browser.post(path, values, follow=True)
    assert response.status_code == status
    return unescape(response.content.decode())


def _hosts(pattern: str = "*") -> list[str]:
    return [smarthost.host for smarthost in Route.objects.get(pattern=pattern).smarthosts.all()]


def _saved_password(host: str) -> str:
    return secretbox.unseal(Smarthost.objects.get(host=host).password_sealed, secretbox.SMARTHOST_PASSWORD)


def _save_one() -> None:
    services.set_route(
        actor="test",
        now=timezone.now(),
        pattern="*",
        via="smarthost",
        smarthosts=[SmarthostInput("smtp.example.net", 587, "starttls", "me", PASSWORD)],
    )


def test_smarthosts_are_saved_in_their_order(panel: Client) -> None:
    _post(panel, _form(ROW, {**ROW, "host": "backup.example.net", "port": "465", "tls": "implicit"}))
    assert _hosts() == ["smtp.example.net", "backup.example.net"]
    assert _saved_password("smtp.example.net") == PASSWORD
    assert PASSWORD not in str(list(Entry.objects.values_list("before", "after")))


def test_a_saved_password_is_never_shown_and_kept_when_the_field_stays_empty(panel: Client) -> None:
    _save_one()
    page = panel.get(ROUTE).content.decode()
    assert PASSWORD not in page
    assert "Saved; leave empty to keep it." in page
    _post(panel, _form({**ROW, "password": "", "tls": "starttls"}))
    assert _saved_password("smtp.example.net") == PASSWORD


@pytest.mark.parametrize("changes", [{"host": "evil.example"}, {"username": "other"}, {"port": "2525"}])
def test_a_saved_password_does_not_follow_to_another_server_port_or_user(
    panel: Client, changes: dict[str, str]
) -> None:
    _save_one()
    page = _post(panel, _form({**ROW, "password": "", **changes}), status=422)
    assert "The smarthost's password is missing." in page[page.index('id="id_s0-password_error"') :]
    target = {**ROW, "password": "", **changes}
    panel.post("/settings/delivery/test/", _form(target, do="test-0"), headers=HTMX)
    assert not RouteTest.objects.exclude(password_sealed="").exists()


@pytest.mark.parametrize(
    ("changes", "field", "sentence"),
    [
        ({"host": "no host"}, "host", "is not a server's name or address"),
        ({"port": "0"}, "port", "A port is a number from 1 to 65535."),
        ({"port": "x"}, "port", "Enter a whole number."),
        ({"tls": "none"}, "tls", "Without TLS a password would be readable on its way."),
        ({"tls": "maybe"}, "tls", "Select a valid choice."),
        ({"username": ""}, "username", "The smarthost's user name is missing."),
        ({"ca_pem": "no certificate"}, "ca_pem", "The authority's certificate cannot be read"),
    ],
)
def test_a_wrong_value_is_told_at_its_row_and_nothing_typed_is_lost(
    panel: Client, changes: dict[str, str], field: str, sentence: str
) -> None:
    page = _post(panel, _form({**ROW, "host": "first.example.net"}, {**ROW, **changes}), status=422)
    assert sentence in page[page.index(f'id="id_s1-{field}_error"') :]
    assert "first.example.net" in page
    assert page.count(f'value="{PASSWORD}"') == 2  # typed and not saved yet: it comes back
    assert _hosts() == []


def test_a_route_by_smarthost_needs_one(panel: Client) -> None:
    page = _post(
        panel, _form({"host": "", "port": "587", "tls": "starttls", "username": "", "password": ""}), status=422
    )
    assert "Name the smarthost." in page[page.index('id="id_via_error"') :]


def test_an_empty_row_does_not_count(panel: Client) -> None:
    _post(panel, _form(ROW, {"host": " ", "port": "587", "tls": "starttls", "username": "", "password": ""}))
    assert _hosts() == ["smtp.example.net"]


@pytest.mark.parametrize("via", ["mx", "none"])
def test_another_way_ignores_the_rows_of_smarthosts(panel: Client, via: str) -> None:
    _save_one()
    _post(panel, _form({**ROW, "password": ""}, via=via))
    assert Route.objects.get(pattern="*").via == via
    assert not Smarthost.objects.exists()


def test_rows_are_added_moved_and_removed_without_saving(panel: Client) -> None:
    two = ({**ROW, "host": "one.example"}, {**ROW, "host": "two.example"})

    def hosts(do: str) -> list[str]:
        response = panel.post(ROUTE, _form(*two, do=do))
        return [form["host"].value() or "" for form in response.context["rows"].forms]

    assert hosts("add") == ["one.example", "two.example", ""]
    assert hosts("up-1") == ["two.example", "one.example"]
    assert hosts("remove-0") == ["two.example"]
    assert hosts("up-0") == hosts("remove-7") == hosts("nonsense") == ["one.example", "two.example"]
    assert _hosts() == []


def test_more_rows_than_ten_are_not_read(panel: Client) -> None:
    rows = [{**ROW, "host": f"h{at}.example"} for at in range(14)]
    _post(panel, _form(*rows))
    assert len(_hosts()) == 10
    for number in ("-1", "x", "999999999999", "\u0663"):
        assert panel.post(ROUTE, {**_form(ROW), "rows": number}).status_code == 422


def test_a_way_for_some_domains_is_added_changed_and_removed(panel: Client) -> None:
    add = "/settings/delivery/add/"
    _post(panel, _form(via="mx", pattern="*.Example.NET"), add)
    assert Route.objects.get(pattern="*.example.net").via == "mx"
    page = _post(panel, _form(via="none", pattern="*.example.net"), add, 422)
    assert "There is a route for *.example.net already" in page[page.index('id="id_pattern_error"') :]
    page = _post(panel, _form(via="mx", pattern="what is this"), add, 422)
    assert "is not a pattern" in page[page.index('id="id_pattern_error"') :]
    assert "Mail to *.example.net" in _post(panel, _form(via="none"), "/settings/delivery/route/*.example.net/")
    _post(panel, {}, "/settings/delivery/route/*.example.net/remove/")
    assert list(Route.objects.values_list("pattern", flat=True)) == ["*"]


def test_the_route_of_last_resort_cannot_be_removed(panel: Client) -> None:
    page = _post(panel, {}, ROUTE + "remove/")
    assert "The route * holds for all other mail" in page


def test_a_test_asks_the_runner_with_what_was_typed(panel: Client, daemon_lives: Beat) -> None:
    daemon_lives()
    page = panel.post("/settings/delivery/test/", _form(ROW, do="test-0"), headers=HTMX).content.decode()
    test = RouteTest.objects.get()
    assert "Testing smtp.example.net:587" in page
    assert f'hx-get="/settings/delivery/test/{test.pk}/"' in page
    assert test.target == {"host": "smtp.example.net", "port": 587, "tls": "starttls", "username": "me", "ca_pem": ""}
    assert services.test_password(test) == PASSWORD
    assert PASSWORD not in page
    assert _hosts() == []  # a test saves nothing


def test_a_test_of_a_saved_smarthost_uses_its_saved_password(panel: Client) -> None:
    _save_one()
    panel.post("/settings/delivery/test/", _form({**ROW, "password": ""}, do="test-0"), headers=HTMX)
    assert services.test_password(RouteTest.objects.get()) == PASSWORD


def test_without_a_runner_the_page_says_why_nothing_happens(panel: Client) -> None:
    page = panel.post("/settings/delivery/test/", _form(ROW, do="test-0"), headers=HTMX).content.decode()
    assert "The mail server is not running, so nobody can run the test." in page


@pytest.mark.parametrize("browser", ["panel", "japanese"])
def test_the_step_that_failed_is_shown_with_its_words_and_a_cure(
    request: pytest.FixtureRequest, browser: str, daemon_lives: Beat
) -> None:
    client: Client = request.getfixturevalue(browser)
    daemon_lives()
    client.post("/settings/delivery/test/", _form(ROW, do="test-0"), headers=HTMX)
    steps = [
        {"step": "connect", "ok": True, "text": "Connected to smtp.example.net[192.0.2.1]:587", "reason": ""},
        {"step": "auth", "ok": False, "text": "535-5.7.8 <b>bad</b>\n535 go \u202eaway", "reason": "auth-refused"},
    ]
    number = RouteTest.objects.get().pk
    services.answer_test(number, ok=False, steps=steps, now=timezone.now())
    page = client.get(f"/settings/delivery/test/{number}/", headers=HTMX).content.decode()
    for text in ("535-5.7.8 &lt;b&gt;bad&lt;/b&gt;", "535 go ⟨U+202E⟩away", "Connected to smtp.example.net"):
        assert text in page
    words = {
        "panel": "The server does not accept this user name and password.",
        "japanese": "サーバーがこのユーザー名とパスワードを受け付けません。",
    }
    assert words[browser] in page
    assert "hx-get" not in page


def test_without_javascript_the_result_is_a_page_that_reloads_itself_until_it_is_there(
    panel: Client, daemon_lives: Beat
) -> None:
    daemon_lives()
    response = panel.post("/settings/delivery/test/", _form(ROW, do="test-0"), follow=True)
    number = RouteTest.objects.get().pk
    assert response.redirect_chain == [(f"/settings/delivery/test/{number}/", 302)]
    assert response.headers["Refresh"] == "2"
    services.answer_test(number, ok=True, steps=[], now=timezone.now())
    response = panel.get(f"/settings/delivery/test/{number}/")
    assert "Refresh" not in response.headers
    assert "smtp.example.net:587 works." in response.content.decode()


def test_direct_delivery_is_tested_with_a_domain(panel: Client) -> None:
    values = _form(ROW, via="mx", test_domain="Example.COM", do="test_mx")
    panel.post("/settings/delivery/test/", values, headers=HTMX)
    assert RouteTest.objects.get().target == {"via": "mx", "domain": "example.com"}
    page = panel.post("/settings/delivery/test/", {**values, "test_domain": ""}, headers=HTMX).content.decode()
    assert "Type a domain to test with" in page


@pytest.mark.parametrize("do", ["", "test-9", "test-x", "save", "test--1"])
def test_a_test_of_nothing_is_refused(panel: Client, do: str) -> None:
    assert panel.post("/settings/delivery/test/", _form(ROW, do=do), headers=HTMX).status_code == 400
    assert not RouteTest.objects.exists()


def test_a_row_that_is_wrong_is_not_tested(panel: Client) -> None:
    values = _form({**ROW, "port": "x"}, do="test-0")
    page = panel.post("/settings/delivery/test/", values, headers=HTMX).content.decode()
    assert "Port: Enter a whole number." in page
    assert not RouteTest.objects.exists()
