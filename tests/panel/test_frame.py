"""The frame around every page: preferences, toasts, the line about workers, reports of the policy."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.messages import get_messages
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import timezone

from mailadmin.accounts.models import Account
from mailadmin.generation import services as generation
from mailadmin.panel import preferences
from mailadmin.panel.templatetags.panel import badge, octets, when
from tests.cast import BECKY
from tests.panel import people

pytestmark = pytest.mark.django_db
ACCOUNTS = "/accounts/"


def _page(browser: Client, path: str = ACCOUNTS) -> str:
    return browser.get(path).content.decode()


def test_the_language_is_the_browsers_until_somebody_chooses(administrator: Account) -> None:
    assert '<html lang="ja"' in _page(people.signed_in(administrator, "ja,en;q=0.5"))
    assert '<html lang="en"' in _page(people.signed_in(administrator, "fr"))


def test_a_chosen_language_stays_with_browser_and_account(administrator: Account, panel: Client) -> None:
    response = panel.post("/language/", {"language": "ja", "next": ACCOUNTS})
    assert response.headers["Location"] == ACCOUNTS
    assert '<html lang="ja"' in _page(panel)
    administrator.refresh_from_db()
    assert administrator.language == "ja"


@pytest.mark.parametrize("wrong", ["xx", "", "../ja"])
def test_a_language_that_there_is_not_changes_nothing(panel: Client, wrong: str) -> None:
    panel.post("/language/", {"language": wrong})
    assert '<html lang="en"' in _page(panel)


@pytest.mark.parametrize(("theme", "mark"), [("dark", 'data-theme="dark"'), ("light", 'data-theme="light"')])
def test_colors_are_rendered_by_the_server(panel: Client, theme: str, mark: str) -> None:
    assert "data-theme" not in _page(panel).partition(">")[0]
    panel.post("/theme/", {"theme": theme})
    assert mark in _page(panel).partition("<head>")[0]
    panel.post("/theme/", {"theme": "auto"})
    assert mark not in _page(panel)


def test_a_theme_that_there_is_not_is_ignored(panel: Client) -> None:
    panel.post("/theme/", {"theme": '"><script>'})
    assert preferences.THEME_COOKIE not in panel.cookies
    panel.cookies[preferences.THEME_COOKIE] = "neon"
    assert "neon" not in _page(panel)


def test_the_shortcut_can_be_turned_off(panel: Client) -> None:
    assert 'data-shortcuts="on"' in _page(panel)
    panel.post("/shortcuts/", {"shortcuts": "off"})
    assert 'data-shortcuts="off"' in _page(panel)


@pytest.mark.parametrize("path", ["/language/", "/theme/", "/shortcuts/"])
def test_a_switch_never_leads_to_another_host(panel: Client, path: str) -> None:
    assert panel.post(path, {"next": "https://elsewhere.example.net/"}).headers["Location"] == "/"


def test_times_are_in_the_browsers_zone(administrator: Account, panel: Client) -> None:
    path = reverse("accounts:detail", args=[administrator.pk])
    assert f"{people.BEGIN:%Y-%m-%d} 09:00" in _page(panel, path)
    panel.cookies[preferences.ZONE_COOKIE] = "Asia/Tokyo"
    page = _page(panel, path)
    assert f"{people.BEGIN:%Y-%m-%d} 18:00" in page
    assert 'datetime="2027-03-01T09:00:00Z"' in page


@pytest.mark.parametrize("wrong", ["Mars/Olympus", "../../etc/passwd", "/etc/passwd", "x" * 5000, ""])
def test_a_zone_that_there_is_not_is_ignored(wrong: str) -> None:
    request = RequestFactory().get("/")
    request.COOKIES[preferences.ZONE_COOKIE] = wrong
    assert preferences.zone(request) is None


def test_every_page_has_a_skip_link_and_marks_where_one_is(panel: Client) -> None:
    page = _page(panel)
    assert page.index('href="#content"') < page.index("<header")
    assert 'id="content"' in page
    assert page.count('href="/accounts/" aria-current="page"') == 2
    assert page.count('href="/" aria-current="page"') == 0


def test_the_heading_and_the_tab_say_the_same(panel: Client) -> None:
    page = _page(panel)
    assert "<title>Accounts · mailadmin</title>" in page
    assert "<h1>Accounts</h1>" in page


def test_the_policy_allows_nothing_inline(panel: Client) -> None:
    policy = panel.get(ACCOUNTS).headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "report-uri /csp-report/" in policy


def test_a_report_of_the_policy_is_logged_and_cut(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    report = {"csp-report": {"blocked-uri": "inline" + "x" * 5000, "effective-directive": "style-src"}}
    with caplog.at_level(logging.WARNING, logger="mailadmin.panel"):
        assert client.post("/csp-report/", json.dumps(report), content_type="application/csp-report").status_code == 204
    assert "style-src" in caplog.text
    assert len(caplog.text) < 1000


@pytest.mark.parametrize("body", [b"", b"\xff\xfe", b"[]", b'{"csp-report": 5}', b"{" * 9000])
def test_a_report_that_is_none_does_no_harm(client: Client, body: bytes) -> None:
    assert client.post("/csp-report/", body, content_type="application/csp-report").status_code == 204


def _worker(number: int, pid: int) -> None:
    now = timezone.now()
    generation.beat(node="n", pid=pid, role="worker", generation=number, started_at=now, problems=[], now=now)


def test_the_line_about_workers_asks_again_until_all_have_caught_up(panel: Client) -> None:
    assert "not running" in _page(panel, "/in-force/")
    _worker(generation.number(), 1)
    _worker(generation.number() - 1, 2)
    page = _page(panel, "/in-force/")
    assert "In force on 1 of 2 workers." in page
    assert "hx-get" in page
    _worker(generation.number(), 2)
    page = _page(panel, "/in-force/")
    assert "In force on 2 of 2 workers." in page
    assert "hx-get" not in page


def test_a_change_that_can_be_taken_back_offers_undo(panel: Client) -> None:
    other = people.add(BECKY)
    response = panel.post(reverse("accounts:suspend", args=[other.pk]))
    assert len(list(get_messages(response.wsgi_request))) == 1
    page = _page(panel)
    assert f'<form method="post" action="{reverse("accounts:resume", args=[other.pk])}"' in page
    assert "Undo" not in _page(panel).partition("<main")[0]


def test_a_badge_takes_only_the_tones_that_have_colors() -> None:
    assert badge("<b>", "ok") == '<span class="badge" data-tone="ok">&lt;b&gt;</span>'
    with pytest.raises(ValueError, match="neon"):
        badge("text", "neon")


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1 kB"), (1600, "1.6 kB"), (50_000_000, "50 MB"), (2 * 10**15, "2000 TB")],
)
def test_a_size_counts_by_thousands(number: int, text: str) -> None:
    assert octets(number).replace("\N{NO-BREAK SPACE}", " ") == text


def test_a_time_of_today_is_short_and_an_older_one_has_its_date() -> None:
    today = timezone.now()
    assert when(today)["text"] == f"{today:%H:%M}"
    assert when(today - timedelta(days=40))["text"] == f"{today - timedelta(days=40):%Y-%m-%d %H:%M}"
    assert str(when(datetime(2027, 3, 1, 9, 0, 5, tzinfo=UTC), "long")["text"]).endswith("09:00:05 UTC")
    assert when(None) == {"value": None}
