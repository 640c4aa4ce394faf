"""Mail: one search, a message's story, and what an administrator can do."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from mailadmin.accounts import services as accounts
from mailadmin.accounts.models import Account
from mailadmin.activity.models import Entry
from mailadmin.queue import services as queue
from mailadmin.queue.envelopes import Result, Verdict, parse_queue_id
from mailadmin.queue.models import Message, Recipient, State
from mailadmin.server.models import Server
from tests.cast import BECKY
from tests.panel import people
from tests.panel_pages import mailbag

pytestmark = pytest.mark.django_db


def _text(browser: Client, path: str) -> str:
    response = browser.get(path)
    assert response.status_code == 200
    return response.content.decode()


def _state(queue_id: str) -> list[str]:
    rows = Recipient.objects.filter(message=parse_queue_id(queue_id)).order_by("pk")
    return list(rows.values_list("state", flat=True))


def _verbs() -> list[str]:
    return list(Entry.objects.filter(verb__startswith="queue.").order_by("pk").values_list("verb", flat=True))


def _bag(account: Account) -> dict[str, str]:
    """Return the queue ids of one message in each state, by state."""
    now = timezone.now()
    ids = {"sent": mailbag.accept(account, ["sent@example.net"], now - timedelta(hours=3))}
    ids["failed"] = mailbag.accept(account, ["failed@example.net"], now - timedelta(hours=2))
    ids["waiting"] = mailbag.accept(account, ["waiting@example.net"], now - timedelta(hours=1))
    mailbag.attempt(now - timedelta(minutes=59), failed=mailbag.UNKNOWN, waiting=mailbag.GREYLISTED)
    ids["held"] = mailbag.accept(account, ["held@example.net"], now)
    ids["cancelled"] = mailbag.accept(account, ["cancelled@example.net"], now)
    for state, act in (("held", queue.hold), ("cancelled", queue.cancel)):
        number = parse_queue_id(ids[state])
        assert number is not None
        act(queue.Selection(messages=[number]), actor="test", now=now)
    return ids


@pytest.mark.parametrize("state", ["sent", "failed", "waiting", "held", "cancelled"])
def test_a_chip_shows_the_mail_in_its_state_alone(panel: Client, administrator: Account, state: str) -> None:
    ids = _bag(administrator)
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


@pytest.mark.parametrize(
    ("verb", "change", "entry"),
    [
        ("hold", ("waiting", "held"), "queue.hold"),
        ("release", ("held", "waiting"), "queue.release"),
        ("retry", ("waiting", "waiting"), "queue.retry"),
        ("cancel", ("waiting", "cancelled"), "queue.cancel"),
        ("cancel", ("held", "cancelled"), "queue.cancel"),
        ("return", ("waiting", "failed"), "queue.give_back"),
    ],
)
def test_a_button_changes_the_state_and_leaves_an_entry(
    panel: Client, administrator: Account, verb: str, change: tuple[str, str], entry: str
) -> None:
    before, after = change
    queue_id = _bag(administrator)[before]
    Entry.objects.all().delete()
    response = panel.post(f"/mail/{queue_id}/{verb}/", follow=True)
    assert response.redirect_chain == [(f"/mail/{queue_id}/", 302)]
    assert _state(queue_id) == [after]
    assert _verbs() == [entry]
    assert Entry.objects.get().actor == administrator.address


def test_a_retry_makes_it_due_now(panel: Client, administrator: Account) -> None:
    queue_id = _bag(administrator)["waiting"]
    panel.post(f"/mail/{queue_id}/retry/")
    assert Recipient.objects.get(message=parse_queue_id(queue_id)).next_attempt_at <= timezone.now()


def test_a_returned_mail_brings_its_sender_a_notice(panel: Client, administrator: Account) -> None:
    queue_id = mailbag.accept(administrator, ["friend@example.net"], timezone.now())
    panel.post(f"/mail/{queue_id}/return/")
    notice = Message.objects.get(sender="")
    assert notice.recipients.get().address == administrator.address
    assert "An administrator returned it to its sender." not in _text(panel, "/mail/")
    assert "Returned to its sender" in _text(panel, f"/mail/{queue_id}/")


def test_a_hold_is_undone_by_the_button_in_its_toast(panel: Client, administrator: Account) -> None:
    queue_id = mailbag.accept(administrator, ["friend@example.net"], timezone.now())
    page = panel.post(f"/mail/{queue_id}/hold/", follow=True).content.decode()
    assert f'action="/mail/{queue_id}/release/"' in page
    panel.post(f"/mail/{queue_id}/release/")
    assert _state(queue_id) == [State.WAITING]


def test_one_recipient_can_be_held_alone(panel: Client, administrator: Account) -> None:
    queue_id = mailbag.accept(administrator, ["a@example.net", "b@example.net"], timezone.now())
    one = Recipient.objects.get(address="b@example.net")
    panel.post(f"/mail/{queue_id}/hold/", {"recipient": one.pk})
    assert _state(queue_id) == ["waiting", "held"]


def test_a_recipient_of_another_message_is_not_touched(panel: Client, administrator: Account) -> None:
    now = timezone.now()
    queue_id = mailbag.accept(administrator, ["a@example.net"], now)
    other = mailbag.accept(administrator, ["b@example.net"], now + timedelta(seconds=1))
    stranger = Recipient.objects.get(address="b@example.net")
    panel.post(f"/mail/{queue_id}/cancel/", {"recipient": stranger.pk})
    assert (_state(queue_id), _state(other)) == (["waiting"], ["waiting"])


def test_what_is_done_with_cannot_be_changed_and_the_page_says_so(panel: Client, administrator: Account) -> None:
    queue_id = _bag(administrator)["sent"]
    page = panel.post(f"/mail/{queue_id}/cancel/", follow=True).content.decode()
    assert "Nothing changed" in page
    assert _state(queue_id) == ["delivered"]
    assert "/cancel/" not in _text(panel, f"/mail/{queue_id}/")


def test_mail_of_a_suspended_account_offers_no_release(panel: Client) -> None:
    account = people.add(BECKY)
    queue_id = mailbag.accept(account, ["friend@example.net"], timezone.now())
    accounts.suspend(account, actor="test", now=timezone.now())
    page = _text(panel, f"/mail/{queue_id}/")
    assert "It waits because the sender&#x27;s account is suspended." in page
    assert f"/mail/{queue_id}/release/" not in page


@pytest.mark.parametrize("method", ["get", "head", "put"])
@pytest.mark.parametrize("path", ["pause/", "resume/", "retry/", "{id}/cancel/"])
def test_only_a_post_changes_anything(panel: Client, administrator: Account, path: str, method: str) -> None:
    queue_id = mailbag.accept(administrator, ["friend@example.net"], timezone.now())
    assert getattr(panel, method)("/mail/" + path.format(id=queue_id)).status_code == 405


@pytest.mark.parametrize("path", ["/mail/0000000000000/", "/mail/nonsense/", "/mail/0000000000000/progress/"])
def test_a_message_that_is_not_there_is_not_found(panel: Client, path: str) -> None:
    assert panel.get(path).status_code == 404
    assert panel.post("/mail/0000000000000/hold/").status_code == 404


def test_a_queue_id_in_capitals_is_the_same(panel: Client, administrator: Account) -> None:
    queue_id = mailbag.accept(administrator, ["friend@example.net"], timezone.now())
    assert panel.get(f"/mail/{queue_id.upper()}/").status_code == 200


def test_a_pause_shows_on_every_page_of_mail_until_it_ends(panel: Client, administrator: Account) -> None:
    queue_id = mailbag.accept(administrator, ["friend@example.net"], timezone.now())
    panel.post("/mail/pause/")
    for path in ("/mail/", f"/mail/{queue_id}/"):
        assert "Delivery is paused: mail is accepted and waits, and nothing leaves." in _text(panel, path)
    assert "All delivery is paused." in _text(panel, f"/mail/{queue_id}/")
    assert Server.objects.get().queue_paused
    panel.post("/mail/resume/", {"next": f"/mail/{queue_id}/"})
    assert "Delivery is paused" not in _text(panel, f"/mail/{queue_id}/")
    assert _verbs() == ["queue.pause", "queue.resume"]


def test_the_way_back_never_leads_to_another_host(panel: Client) -> None:
    for evil in ("https://evil.example/", "//evil.example/", "javascript:alert(1)"):
        assert panel.post("/mail/pause/", {"next": evil}).headers["Location"] == "/mail/"


def test_all_waiting_mail_is_tried_again_at_a_click_or_what_a_search_found(
    panel: Client, administrator: Account
) -> None:
    now = timezone.now()
    ids = [
        mailbag.accept(administrator, [f"{name}@example.net"], now + timedelta(seconds=at))
        for at, name in enumerate("ab")
    ]
    mailbag.attempt(now + timedelta(seconds=5), a=mailbag.GREYLISTED, b=mailbag.GREYLISTED)

    def due() -> list[bool]:
        rows = [Recipient.objects.get(message=parse_queue_id(queue_id)) for queue_id in ids]
        return [row.next_attempt_at <= timezone.now() for row in rows]

    panel.post("/mail/retry/", {"q": "b@example.net"})
    assert due() == [False, True]
    page = panel.post("/mail/retry/", follow=True).content.decode()
    assert due() == [True, True]
    assert "2 mails are tried again now." in page


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
