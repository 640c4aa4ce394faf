"""The pages of accounts: what each shows, what each form does and refuses, without any script."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from html import unescape

import pytest
from django.test import Client
from django.urls import reverse

from mailadmin.accounts import browse, services
from mailadmin.accounts.models import Account
from mailadmin.activity import services as activity
from mailadmin.activity.models import Entry
from mailadmin.listeners.models import Listener
from mailadmin.queue import services as queue
from mailadmin.queue.envelopes import NewMessage, NewRecipient, SignInEvent
from mailadmin.queue.models import Recipient
from tests.cast import ADMINISTRATOR, BECKY, OUTLOOK, SUSPENDED
from tests.panel import people

pytestmark = pytest.mark.django_db
PASSWORD = re.compile(r"[a-z2-9]{6}(?:-[a-z2-9]{6}){3}")


@pytest.fixture
def administrator() -> Account:
    """The administrator of a server that is set up."""
    return people.set_up()


@pytest.fixture
def panel(administrator: Account) -> Client:
    """Their browser."""
    return people.signed_in(administrator)


@pytest.fixture
def becky() -> Account:
    """An account that is no administrator."""
    return people.add(BECKY)


def _page(browser: Client, name: str, *args: object, query: str = "") -> str:
    response = browser.get(reverse(f"accounts:{name}", args=args) + query)
    assert response.status_code == 200
    return unescape(response.content.decode())


def _refused(browser: Client, name: str, values: dict[str, str], *args: object) -> str:
    response = browser.post(reverse(f"accounts:{name}", args=args), values)
    assert response.status_code == 422
    return unescape(response.content.decode())


def _rows(page: str) -> list[str]:
    return re.findall(r'<th scope="row">.*?<a [^>]*>([^<]+)</a>', page)


@pytest.mark.usefixtures("becky")
def test_the_list_shows_who_may_send_by_address(panel: Client) -> None:
    people.add(SUSPENDED)
    assert _rows(_page(panel, "list")) == [ADMINISTRATOR.address, BECKY.address, SUSPENDED.address]


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("?q=BECKY", [BECKY.address]),
        ("?show=suspended", [SUSPENDED.address]),
        ("?show=administrators", [ADMINISTRATOR.address]),
        ("?show=active&q=example", [ADMINISTRATOR.address, BECKY.address]),
        ("?q=nobody", []),
        ("?show=nonsense&page=99", [ADMINISTRATOR.address, BECKY.address, SUSPENDED.address]),
    ],
)
@pytest.mark.usefixtures("becky")
def test_search_and_filter_are_in_the_address_bar(panel: Client, query: str, shown: list[str]) -> None:
    people.add(SUSPENDED)
    assert _rows(_page(panel, "list", query=query)) == shown


def test_a_search_that_finds_nothing_says_so_and_leads_back(panel: Client) -> None:
    page = _page(panel, "list", query="?q=%3Cscript%3E")
    assert "No account matches" in page
    assert "<script>" not in panel.get("/accounts/?q=%3Cscript%3E").content.decode()


def test_fifty_accounts_are_a_page_and_the_filter_goes_with_it(panel: Client) -> None:
    Account.objects.bulk_create(
        Account(address=f"p{number:03}@example.org", created_at=people.BEGIN, password_changed_at=people.BEGIN)
        for number in range(browse.PAGE_SIZE + 5)
    )
    first = _page(panel, "list", query="?q=p0")
    assert len(_rows(first)) == browse.PAGE_SIZE
    assert 'href="?q=p0&page=2"' in first
    assert len(_rows(_page(panel, "list", query="?q=p0&page=2"))) == 5


def test_a_generated_password_is_shown_once_and_works(panel: Client) -> None:
    response = panel.post(reverse("accounts:add"), {"address": OUTLOOK.address, "name": "Olga"})
    account = Account.objects.get(address=OUTLOOK.address)
    assert response.headers["Location"] == reverse("accounts:detail", args=[account.pk])
    found = PASSWORD.search(_page(panel, "detail", account.pk))
    assert found
    assert account.check_password(found[0])
    assert not PASSWORD.search(_page(panel, "detail", account.pk))


def test_the_session_never_holds_a_password_in_the_clear(panel: Client) -> None:
    panel.post(reverse("accounts:add"), {"address": OUTLOOK.address})
    assert not any(PASSWORD.search(str(value)) for value in panel.session.values())
    assert any("password" in key for key in panel.session.keys())  # noqa: SIM118  # a session is no dict


def test_a_typed_password_is_not_shown(panel: Client) -> None:
    panel.post(reverse("accounts:add"), {"address": OUTLOOK.address, "password": OUTLOOK.password})
    account = Account.objects.get(address=OUTLOOK.address)
    assert account.check_password(OUTLOOK.password)
    assert OUTLOOK.password not in _page(panel, "detail", account.pk)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"address": BECKY.address}, "There is already an account ichiro@example.org."),
        ({"address": "no address"}, "“no address” is not an address"),
        ({"address": ""}, "This field is required."),
        ({"address": "new@example.org", "password": "short"}, "at least 12 characters"),
        ({"address": "new@example.org", "password": "password1234"}, "too common"),
        ({"address": "new@example.org", "senders": "*@*"}, "“*@*” is neither an address nor a pattern"),
        ({"address": "new@example.org", "quota": "-1"}, "greater than or equal to 1"),
        ({"address": "new@example.org", "password": "a\x01b" * 6}, "control character"),
    ],
)
@pytest.mark.usefixtures("becky")
def test_what_is_wrong_is_said_beside_its_field(panel: Client, values: dict[str, str], words: str) -> None:
    page = _refused(panel, "add", values)
    assert words in page
    assert 'aria-invalid="true"' in page
    assert Account.objects.count() == 2


def test_an_edit_changes_all_and_leaves_an_entry_with_both_values(panel: Client, becky: Account) -> None:
    values = {"name": "Ichiro B.", "senders": "shop@example.org, *@lists.example.org", "quota": "2000", "note": "n"}
    assert panel.post(reverse("accounts:edit", args=[becky.pk]), values).status_code == 302
    becky.refresh_from_db()
    assert (becky.name, becky.quota, becky.note) == ("Ichiro B.", 2_000_000_000, "n")
    assert [sender.pattern for sender in becky.senders.all()] == [
        BECKY.address,
        "shop@example.org",
        "*@lists.example.org",
    ]
    entry = Entry.objects.filter(verb="account.edit").get()
    assert (entry.actor, entry.before["name"], entry.after["name"]) == (ADMINISTRATOR.address, BECKY.name, "Ichiro B.")


def test_an_edit_that_is_refused_changes_nothing(panel: Client, becky: Account) -> None:
    assert "neither an address" in _refused(panel, "edit", {"name": "New", "senders": "@@"}, becky.pk)
    becky.refresh_from_db()
    assert becky.name == BECKY.name


def test_the_form_of_an_edit_holds_what_is_there(panel: Client, becky: Account) -> None:
    services.set_senders(becky, ["shop@example.org"], actor="test", now=people.BEGIN)
    services.edit(becky, actor="test", now=people.BEGIN, quota=5_000_000)
    page = _page(panel, "edit", becky.pk)
    assert re.search(r"<textarea[^>]*name=\"senders\"[^>]*>\s*shop@example.org</textarea>", page)
    assert 'value="5"' in page


def test_a_limit_that_is_no_whole_megabyte_survives_an_edit_of_something_else(panel: Client, becky: Account) -> None:
    services.edit(becky, actor="test", now=people.BEGIN, quota=1_234_567)
    panel.post(reverse("accounts:edit", args=[becky.pk]), {"name": "Other", "quota": "1"})
    becky.refresh_from_db()
    assert (becky.name, becky.quota) == ("Other", 1_234_567)


def test_suspending_acts_at_once_and_can_be_taken_back(panel: Client, becky: Account) -> None:
    assert panel.get(reverse("accounts:suspend", args=[becky.pk])).status_code == 405
    panel.post(reverse("accounts:suspend", args=[becky.pk]))
    page = _page(panel, "detail", becky.pk)
    assert "in force now" in page
    assert "Undo" in page
    becky.refresh_from_db()
    assert not becky.is_active
    panel.post(reverse("accounts:resume", args=[becky.pk]))
    becky.refresh_from_db()
    assert becky.is_active


def test_the_last_administrator_cannot_suspend_or_remove_or_demote_themselves(
    panel: Client, administrator: Account
) -> None:
    panel.post(reverse("accounts:suspend", args=[administrator.pk]))
    assert "is the only administrator" in _page(panel, "detail", administrator.pk)
    assert "is the only administrator" in _refused(panel, "edit", {"name": "x"}, administrator.pk)
    values = {"address": administrator.address}
    assert "is the only administrator" in _refused(panel, "remove", values, administrator.pk)
    administrator.refresh_from_db()
    assert administrator.is_active
    assert administrator.is_administrator


def test_a_new_password_is_made_or_typed(panel: Client, becky: Account) -> None:
    path = reverse("accounts:password", args=[becky.pk])
    panel.post(path, {"generate": "1"})
    found = PASSWORD.search(_page(panel, "detail", becky.pk))
    becky.refresh_from_db()
    assert found
    assert becky.check_password(found[0])
    panel.post(path, {"password": OUTLOOK.password})
    becky.refresh_from_db()
    assert becky.check_password(OUTLOOK.password)
    assert "at least 12" in _refused(panel, "password", {"password": "short"}, becky.pk)
    assert "This field is required." in _refused(panel, "password", {}, becky.pk)


def test_who_changes_their_own_password_stays_signed_in(panel: Client, administrator: Account) -> None:
    panel.post(reverse("accounts:password", args=[administrator.pk]), {"generate": "1"})
    assert PASSWORD.search(_page(panel, "detail", administrator.pk))


def test_removing_takes_the_address_typed_once_more(panel: Client, becky: Account) -> None:
    assert "This is not ichiro@example.org." in _refused(panel, "remove", {"address": "hanako@example.org"}, becky.pk)
    assert (
        panel.post(reverse("accounts:remove", args=[becky.pk]), {"address": " Ichiro@example.org"}).status_code == 302
    )
    assert not Account.objects.filter(pk=becky.pk).exists()
    assert "ichiro@example.org is removed." in _page(panel, "list")


def test_waiting_mail_must_be_cancelled_by_word(panel: Client, becky: Account, now: datetime) -> None:
    message = NewMessage(7, becky.address, [NewRecipient("a@example.net", "example.net")], 4, now, body=b"a\r\nb")
    queue.enqueue([_of(message, becky)], now=now)
    assert "1 recipient still waits" in _page(panel, "remove", becky.pk)
    assert "Say that it is to be cancelled" in _refused(panel, "remove", {"address": becky.address}, becky.pk)
    panel.post(reverse("accounts:remove", args=[becky.pk]), {"address": becky.address, "cancel_mail": "on"})
    assert Recipient.objects.get().state == "cancelled"


def _of(message: NewMessage, account: Account) -> NewMessage:
    message.account = account.pk
    return message


def test_an_account_that_is_gone_is_not_found(panel: Client) -> None:
    for name in ("detail", "edit", "password", "remove", "first_sign_in"):
        assert panel.get(reverse(f"accounts:{name}", args=[999])).status_code == 404


def test_the_client_settings_name_the_ports_that_are_open(panel: Client, becky: Account) -> None:
    page = _page(panel, "detail", becky.pk)
    for value in ("mail.example.org", "1587", "1465", BECKY.address):
        assert f'data-copy="{value}"' in page
    Listener.objects.filter(name="submission").update(port=587)
    Listener.objects.filter(name="submissions").update(enabled=False)
    page = _page(panel, "detail", becky.pk)
    assert 'data-copy="587"' in page
    assert "1465" not in page
    Listener.objects.update(enabled=False)
    assert "No port for mail programs is open" in _page(panel, "detail", becky.pk)


def _event(account: Account, at: datetime, result: str, listener: str = "submission") -> None:
    activity.add_sign_ins(
        [SignInEvent(at, account.address, listener, "192.0.2.7", result, account.pk, "PLAIN", "TLSv1.3")]
    )


def test_the_page_waits_for_the_first_sign_in_and_then_says_what_was_seen(panel: Client, becky: Account) -> None:
    path = reverse("accounts:first_sign_in", args=[becky.pk])
    assert f'hx-get="{path}?seen=0" hx-trigger="every 1s"' in _page(panel, "detail", becky.pk)
    assert panel.get(path + "?seen=0").status_code == 204
    _event(becky, people.BEGIN, "ok", "panel")
    assert panel.get(path + "?seen=0").status_code == 204
    _event(becky, people.BEGIN + timedelta(seconds=1), "password")
    page = _page(panel, "first_sign_in", becky.pk, query="?seen=0")
    assert "Wrong password" in page
    assert "hx-get" in page
    _event(becky, people.BEGIN + timedelta(seconds=2), "ok")
    page = _page(panel, "first_sign_in", becky.pk, query="?seen=1")
    assert "A mail program signed in from" in page
    assert "192.0.2.7" in page
    assert "PLAIN" in page
    assert "TLSv1.3" in page
    assert "hx-get" not in page


def test_what_a_client_says_of_itself_is_only_text(panel: Client, becky: Account) -> None:
    activity.add_sign_ins(
        [SignInEvent(people.BEGIN, "x", "submission", "<b>192.0.2.7", "ok", becky.pk, "<i>", "\u202e<u>", "h")]
    )
    page = panel.get(reverse("accounts:detail", args=[becky.pk])).content.decode()
    assert "<b>192" not in page
    assert "<i>" not in page
    assert "\u202e" not in page
