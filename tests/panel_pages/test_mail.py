"""Mail: one search, a message's story, and what an administrator can do."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from mailadmin.accounts.models import Account
from mailadmin.queue import services as queue
from mailadmin.queue.envelopes import Result, Verdict
from mailadmin.queue.models import Message, Recipient
from tests.cast import BECKY
from tests.panel import people
from tests.panel_pages import mailbag

pytestmark = pytest.mark.django_db


def _text(browser: Client, path: str) -> str:
    response = browser.get(path)
    assert response.status_code == 200
    return response.content.decode()


@pytest.mark.parametrize("state", ["sent", "failed", "waiting", "held", "cancelled"])
def test_a_chip_shows_the_mail_in_its_state_alone(panel: Client, administrator: Account, state: str) -> None:
    ids = mailbag.one_in_each_state(administrator)
    page = _text(panel, f"/mail/?state={state}")
    # The notice about the failed one waits as well; it has an id of its own.
    assert [name for name, queue_id in ids.items() if queue_id in page] == [state]


def test_one_search_finds_sender_recipient_message_id_and_queue_id(panel: Client, administrator: Account) -> None:
    now = timezone.now()
    other = people.add(BECKY)
    wanted = mailbag.accept(other, ["friend@example.net"], now, message_id="<the-one@client.test>")
    mailbag.accept(administrator, ["nobody@example.com"], now + timedelta(seconds=1))
    for query in (
        "ichiro@example.org",
        "ichi",
        "Becky",
        "friend@example.net",
        "example.net",
        "<the-one@client.test>",
        wanted,
    ):
        page = _text(panel, f"/mail/?q={query}")
        assert wanted in page, query
        assert "nobody@example.com" not in page, query


def test_an_empty_list_says_what_it_will_show(panel: Client) -> None:
    assert "No mail yet" in _text(panel, "/mail/")
    assert "Nothing found" in _text(panel, "/mail/?state=held")
    assert "Nothing found" in _text(panel, "/mail/?q=nobody")


def test_fifty_are_on_a_page_and_the_pages_keep_the_search(panel: Client, administrator: Account) -> None:
    now = timezone.now()
    for number in range(51):
        mailbag.accept(administrator, [f"r{number:03}@example.net"], now + timedelta(seconds=number))
    first, second = _text(panel, "/mail/?q=example.net"), _text(panel, "/mail/?q=example.net&page=2")
    assert first.count("<tr>") == 51  # the heading's and fifty
    assert "?q=example.net&amp;page=2" in first
    assert "r000@" not in first
    assert "r000@" in second


@pytest.mark.parametrize("page", ["0", "-1", "x", "9" * 30, "\u0663"])
def test_a_page_number_that_is_none_shows_a_page_all_the_same(panel: Client, page: str) -> None:
    assert panel.get("/mail/", {"page": page}).status_code == 200


def test_the_story_goes_from_acceptance_over_the_tries_to_the_end(panel: Client, administrator: Account) -> None:
    now = timezone.now() - timedelta(hours=1)
    queue_id = mailbag.accept(administrator, ["friend@example.net"], now)
    mailbag.attempt(now + timedelta(seconds=1), friend=mailbag.GREYLISTED)
    mailbag.attempt(now + timedelta(minutes=10))
    page = _text(panel, f"/mail/{queue_id}/")
    told = ["Accepted", "192.0.2.7", "client.test", mailbag.TLS, "PLAIN", "Tried, not yet taken"]
    told += ["450 4.2.0 greylisted, come back later", "Delivered", mailbag.PEER, "250 2.0.0 queued as 4711"]
    place = page.index("timeline")
    for text in told:
        place = page.index(text, place)  # each one after the one before
    assert f"{mailbag.PEER} took it over." in page
    assert "hx-get" not in page  # nothing is expected any more


def test_tries_that_came_to_the_same_are_one_step(panel: Client, administrator: Account) -> None:
    now = timezone.now() - timedelta(hours=3)
    queue_id = mailbag.accept(administrator, ["slow@example.net"], now)
    for hours in (0.1, 0.5, 1, 2):
        mailbag.attempt(now + timedelta(hours=hours), slow=mailbag.GREYLISTED)
    page = _text(panel, f"/mail/{queue_id}/")
    assert page.count("Tried, not yet taken") == 1
    assert "the same 3 times before" in page


@pytest.mark.parametrize(
    ("verdict", "sentence"),
    [
        (
            Verdict("deferred", "connect", 0, "4.4.1", "timed out", "mx.example.net:25"),
            "mx.example.net:25 could not be reached.",
        ),
        (
            Verdict("deferred", "resolve", 0, "4.4.3", "gone", "smtp.example:587"),
            "smtp.example:587 could not be found.",
        ),
        (Verdict("deferred", "resolve", 0, "4.4.3", "servfail"), "The mail server of example.net could not be found."),
        (
            Verdict("deferred", "auth", 535, "5.7.8", "no", "smtp.example"),
            "smtp.example refuses our user name or password",
        ),
        (Verdict("deferred", "mailbox", 0, "4.2.2", "over quota"), "The mailbox could not be written"),
        (Verdict("failed", "rcpt", 550, "5.1.1", "unknown", "mx.example.net"), "refused this address for good"),
        (Verdict("failed", "route", 0, "5.4.4", "no way"), "The settings let no mail leave for example.net."),
    ],
    ids=["connect", "smarthost", "resolve", "auth", "mailbox", "unknown", "route"],
)
def test_why_it_stands_where_it_stands_is_a_plain_sentence(
    panel: Client, administrator: Account, verdict: Verdict, sentence: str
) -> None:
    now = timezone.now()
    queue_id = mailbag.accept(administrator, ["friend@example.net"], now)
    mailbag.attempt(now, friend=verdict)
    assert sentence in _text(panel, f"/mail/{queue_id}/")


def test_several_recipients_have_a_story_each(panel: Client, administrator: Account) -> None:
    now = timezone.now()
    queue_id = mailbag.accept(administrator, ["good@example.net", "slow@example.net", "bad@example.net"], now)
    mailbag.attempt(now, slow=mailbag.GREYLISTED, bad=mailbag.UNKNOWN)
    page = _text(panel, f"/mail/{queue_id}/")
    assert "Mail to 3 recipients" in page
    assert all(label in page for label in ("1 waiting", "1 delivered", "1 failed"))
    assert page.count('<details class="card recipient" open>') == 1  # the one that is not done


@pytest.mark.parametrize("path", ["/mail/0000000000000/", "/mail/nonsense/", "/mail/0000000000000/progress/"])
def test_a_message_that_is_not_there_is_not_found(panel: Client, path: str) -> None:
    assert panel.get(path).status_code == 404
    assert panel.post("/mail/0000000000000/hold/").status_code == 404


def test_a_queue_id_in_capitals_is_the_same(panel: Client, administrator: Account) -> None:
    queue_id = mailbag.accept(administrator, ["friend@example.net"], timezone.now())
    assert panel.get(f"/mail/{queue_id.upper()}/").status_code == 200


def test_progress_is_sent_only_when_something_changed(panel: Client, administrator: Account) -> None:
    now = timezone.now()
    queue_id = mailbag.accept(administrator, ["friend@example.net"], now)
    version = panel.get(f"/mail/{queue_id}/").context["version"]
    path = f"/mail/{queue_id}/progress/?seen={version}"
    assert panel.get(path).status_code == 204
    mailbag.attempt(now)
    response = panel.get(path)
    assert response.status_code == 200
    assert "took it over" in response.content.decode()


EVIL = "<img src=x onerror=alert(1)>\"'\u202e\x1b\u0000\r\n"


def test_what_servers_and_clients_say_is_shown_and_never_believed(panel: Client, administrator: Account) -> None:
    now = timezone.now()
    clean = EVIL.replace("\0", "")  # no database stores it, and the daemon drops it
    mailbag.accept(administrator, ["v@example.net"], now, helo=clean, message_id=clean)
    Recipient.objects.update(address=f"{clean}@example.net")
    for message in queue.claim(owner=mailbag.OWNER, now=now, lease=timedelta(minutes=1), limit=9):
        verdict = Verdict("deferred", "rcpt", 450, "4.2.0", clean, clean, clean[:20])
        results = [Result(recipient.id, verdict, now) for recipient in message.recipients]
        queue.record(results, owner=mailbag.OWNER, now=now, rules=queue.rules())
    Message.objects.update(sender=clean)
    queue_id = str(panel.get("/mail/").context["lines"][0].id)
    for path in ("/mail/", f"/mail/{queue_id}/", f"/mail/{queue_id}/progress/", "/"):
        page = _text(panel, path)
        assert "<img src=x" not in page, path
        assert "\u202e" not in page, path
        assert "\x1b" not in page, path
        assert "&lt;img src=x onerror=alert(1)&gt;" in page, path


def test_the_page_is_japanese_for_a_japanese_reader(japanese: Client, administrator: Account) -> None:
    now = timezone.now()
    queue_id = mailbag.accept(administrator, ["friend@example.net"], now)
    mailbag.attempt(now, friend=mailbag.GREYLISTED)
    page = _text(japanese, f"/mail/{queue_id}/")
    for text in ("待機中", "今すぐ再試行", "受け付け", "次の試行", "は今この宛先のメールを受け取りません。"):
        assert text in page
