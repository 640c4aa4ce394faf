"""What an administrator can do to mail: each button, its entry, and the way back."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from mailadmin.accounts import services as accounts
from mailadmin.accounts.models import Account
from mailadmin.activity.models import Entry
from mailadmin.queue.envelopes import parse_queue_id
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
    queue_id = mailbag.one_in_each_state(administrator)[before]
    Entry.objects.all().delete()
    response = panel.post(f"/mail/{queue_id}/{verb}/", follow=True)
    assert response.redirect_chain == [(f"/mail/{queue_id}/", 302)]
    assert _state(queue_id) == [after]
    assert _verbs() == [entry]
    assert Entry.objects.get().actor == administrator.address


def test_a_retry_makes_it_due_now(panel: Client, administrator: Account) -> None:
    queue_id = mailbag.one_in_each_state(administrator)["waiting"]
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
    queue_id = mailbag.one_in_each_state(administrator)["sent"]
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
