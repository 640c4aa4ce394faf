"""The overview: the state in a sentence, what needs somebody, today's numbers, the last events."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import cast

import pytest
from django.test import Client
from django.utils import timezone

from mailadmin.accounts import services as accounts
from mailadmin.accounts.models import Account
from mailadmin.activity import services as activity
from mailadmin.activity.models import Entry
from mailadmin.certificates.models import Certificate
from mailadmin.panel import facts, health
from mailadmin.queue import services as queue
from mailadmin.queue.envelopes import SignInEvent, Verdict
from tests.cast import BECKY
from tests.panel import people
from tests.panel_pages import mailbag

pytestmark = pytest.mark.django_db
Beat = Callable[..., None]


def _ids() -> list[str]:
    return [finding.id for finding in health.findings(facts.read(timezone.now()))]


def _page(browser: Client) -> str:
    return browser.get("/").content.decode()


def test_when_all_is_well_one_sentence_says_so(panel: Client, administrator: Account, daemon_lives: Beat) -> None:
    Certificate.objects.update(not_after=timezone.now() + timedelta(days=71, hours=1))
    daemon_lives()
    mailbag.accept(administrator, ["friend@example.net"], timezone.now())
    assert "All good: 1 person can send; 1 mail today; certificate good for 71 days." in _page(panel)


def test_the_sentence_is_japanese_for_a_japanese_reader(japanese: Client, daemon_lives: Beat) -> None:
    Certificate.objects.update(not_after=timezone.now() + timedelta(days=71, hours=1))
    daemon_lives()
    assert "順調です: 1 人が送信可能、今日のメール 0 通、証明書はあと 71 日有効。" in _page(japanese)


def test_a_daemon_that_does_not_run_is_the_one_thing_that_needs_somebody(panel: Client) -> None:
    page = _page(panel)
    assert "1 thing needs you: The mail server is not running: nobody can send or receive." in page
    assert "manage.py up" in page


def test_two_things_are_counted_and_listed_the_worse_first(panel: Client) -> None:
    Certificate.objects.update(not_after=timezone.now() + timedelta(days=3, hours=1))
    page = _page(panel)
    assert "2 things need you." in page
    assert page.index("The mail server is not running") < page.index("good for only 3 more days")


@pytest.mark.usefixtures("administrator")
def test_a_daemon_that_fell_silent_counts_as_stopped(daemon_lives: Beat) -> None:
    daemon_lives(now=timezone.now() - timedelta(seconds=11))
    assert "daemon.stopped" in _ids()


@pytest.mark.usefixtures("administrator")
def test_workers_without_a_runner_deliver_nothing(daemon_lives: Beat) -> None:
    daemon_lives(roles=("supervisor", "worker"))
    assert _ids() == ["runner.stopped"]


def test_a_taken_port_is_told_in_the_readers_language(japanese: Client, daemon_lives: Beat) -> None:
    daemon_lives(
        "0.0.0.0:1587 (submission): another program uses this port. Stop it, or give the listener another port."
    )
    page = _page(japanese)
    assert "待ち受けを開けません: 0.0.0.0:1587 (submission): 別のプログラムがこのポートを使っています。" in page
    assert 'href="/settings/listeners/"' in page


@pytest.mark.parametrize(
    ("left", "finding"),
    [
        (timedelta(days=14, hours=1), None),
        (timedelta(days=13, hours=23), "certificate.expiring"),
        (timedelta(hours=1), "certificate.expiring"),
        (timedelta(seconds=-1), "certificate.expired"),
    ],
)
@pytest.mark.usefixtures("administrator")
def test_a_certificate_is_told_of_in_its_last_fortnight(
    daemon_lives: Beat, left: timedelta, finding: str | None
) -> None:
    daemon_lives()
    Certificate.objects.update(not_after=timezone.now() + left)
    assert _ids() == ([finding] if finding else [])


@pytest.mark.usefixtures("administrator")
def test_without_a_certificate_nothing_can_be_protected(daemon_lives: Beat) -> None:
    daemon_lives()
    Certificate.objects.all().delete()
    assert _ids() == ["certificate.none"]


def test_mail_that_was_tried_and_waits_for_an_hour_is_stuck_and_the_answer_is_shown(
    panel: Client, administrator: Account, daemon_lives: Beat
) -> None:
    daemon_lives()
    mailbag.accept(administrator, ["slow@example.net"], timezone.now() - timedelta(minutes=61))
    mailbag.attempt(timezone.now(), slow=mailbag.GREYLISTED)
    page = _page(panel)
    assert "1 thing needs you: 1 mail has waited for more than an hour." in page
    assert "greylisted, come back later" in page
    assert 'href="/mail/?state=waiting"' in page


def test_mail_that_waits_for_less_is_not_stuck(administrator: Account, daemon_lives: Beat) -> None:
    daemon_lives()
    mailbag.accept(administrator, ["slow@example.net"], timezone.now() - timedelta(minutes=50))
    mailbag.attempt(timezone.now(), slow=mailbag.GREYLISTED)
    assert _ids() == []


@pytest.mark.usefixtures("administrator")
def test_a_paused_queue_is_told_of_instead_of_the_mail_that_waits(daemon_lives: Beat) -> None:
    daemon_lives()
    queue.pause(actor="test", now=timezone.now())
    assert _ids() == ["queue.paused"]


def test_a_smarthost_that_refuses_our_password_is_told_of_until_it_takes_mail(
    administrator: Account, daemon_lives: Beat
) -> None:
    daemon_lives()
    now = timezone.now()
    refusal = Verdict("deferred", "auth", 535, "5.7.8", "bad credentials", mailbag.PEER, mailbag.TLS)
    mailbag.accept(administrator, ["a@example.net"], now)
    mailbag.attempt(now, a=refusal)
    assert _ids() == ["smarthost.auth"]
    mailbag.accept(administrator, ["b@example.net"], now)
    mailbag.attempt(now + timedelta(seconds=1))
    assert _ids() == []


@pytest.mark.parametrize(("free", "ids"), [(999_999_999, ["disk.full"]), (50_000_000_000, [])])
@pytest.mark.usefixtures("administrator")
def test_a_disk_that_is_nearly_full_is_told_of(
    daemon_lives: Beat, monkeypatch: pytest.MonkeyPatch, free: int, ids: list[str]
) -> None:
    daemon_lives()
    usage = SimpleNamespace(total=100_000_000_000, used=0, free=free)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage)
    assert _ids() == ids


@pytest.mark.usefixtures("administrator")
def test_without_anybody_who_can_send_the_next_step_is_an_account(daemon_lives: Beat) -> None:
    daemon_lives()
    Account.objects.update(suspended_at=timezone.now())
    assert _ids() == ["account.none"]


def test_the_numbers_are_todays_in_the_readers_time_zone(panel: Client, administrator: Account) -> None:
    panel.cookies["mailadmin_zone"] = "Asia/Tokyo"
    now = timezone.now()
    with timezone.override("Asia/Tokyo"):
        midnight = facts.midnight(now)
    for minutes in (-1, 1):
        mailbag.accept(administrator, ["old@example.net"], midnight + timedelta(minutes=minutes))
    counts = cast("facts.Counts", panel.get("/").context["counts"])
    assert counts.sent == 1


def test_each_number_counts_what_it_says(panel: Client, administrator: Account) -> None:
    now = timezone.now()
    mailbag.accept(administrator, ["good@example.net", "bad@example.net", "slow@example.net"], now)
    mailbag.attempt(now, bad=mailbag.UNKNOWN, slow=mailbag.GREYLISTED)
    other = mailbag.accept(administrator, ["later@example.net"], now)
    panel.post(f"/mail/{other}/hold/")
    activity.add_sign_ins([SignInEvent(now, "x", "submission", "192.0.2.9", "unknown")])
    counts = panel.get("/").context["counts"]
    # The notice to the administrator about bad@ waits too.
    assert (counts.sent, counts.waiting, counts.held, counts.failed, counts.refused) == (2, 2, 1, 1, 1)


def test_the_last_events_are_told_newest_first(panel: Client, administrator: Account) -> None:
    now = timezone.now()
    account = people.add(BECKY)
    Entry.objects.all().delete()  # of the first run
    activity.add_sign_ins(
        [SignInEvent(now, account.address, "submission", "192.0.2.7", "ok", account.pk, "LOGIN", mailbag.TLS)]
    )
    mailbag.accept(account, ["friend@example.net"], now + timedelta(seconds=1))
    mailbag.attempt(now + timedelta(seconds=2))
    accounts.suspend(account, actor=administrator.address, now=now + timedelta(seconds=3))
    page = _page(panel)
    order = [
        page.index(text)
        for text in ("suspended the account", "Delivered to <bdi>friend@", "ichiro@example.org</bdi> signed in")
    ]
    assert order == sorted(order)


def test_the_same_knock_repeated_is_one_line(panel: Client) -> None:
    now = timezone.now()
    knocks = [
        SignInEvent(now + timedelta(seconds=at), "root", "submission", "203.0.113.7", "unknown") for at in range(12)
    ]
    activity.add_sign_ins(knocks)
    page = _page(panel)
    assert page.count("could not sign in") == 1
    assert "data-repeated>several times" in page


def test_what_a_stranger_chose_is_text_in_every_line(panel: Client, administrator: Account) -> None:
    now = timezone.now()
    evil = "<script>alert(1)</script>\u202e\x1b"
    activity.add_sign_ins([SignInEvent(now, evil, "submission", "203.0.113.7", "unknown", helo=evil)])
    mailbag.accept(administrator, ["victim@example.net"], now)
    mailbag.attempt(now, victim=Verdict("failed", "rcpt", 550, "5.1.1", evil, evil, ""))
    page = _page(panel)
    assert "<script>alert" not in page
    assert "\u202e" not in page
    assert "\x1b" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;⟨U+202E⟩␛" in page


def test_healthz_needs_no_sign_in(client: Client) -> None:
    response = client.get("/healthz")
    assert (response.status_code, response.content) == (200, b"ok\n")
