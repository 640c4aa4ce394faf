"""Every change of an account: what it does, what it refuses, what it leaves in the activity."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from django.contrib.auth import authenticate
from django.core.exceptions import ValidationError

from mailadmin.accounts import services
from mailadmin.accounts.models import Account, SenderAddress
from mailadmin.activity.models import Entry
from mailadmin.queue import services as queue
from mailadmin.queue.envelopes import NewMessage, NewRecipient
from mailadmin.queue.models import Message, Recipient, State
from mailadmin.server import services as server
from tests.cast import ADMINISTRATOR, BECKY, OUTLOOK, Person

pytestmark = pytest.mark.django_db
Add = Callable[..., Account]


@pytest.fixture
def add(now: datetime) -> Add:
    """Add somebody of the cast."""

    def of_cast(person: Person, **more: object) -> Account:
        return services.add(
            actor="test",
            now=now,
            address=person.address,
            password=person.password,
            is_administrator=person.is_administrator,
            **more,  # type: ignore[arg-type]  # the arguments of one test
        )

    return of_cast


def _verbs() -> list[str]:
    return list(Entry.objects.order_by("id").values_list("verb", flat=True))


def _mail(account: Account, now: datetime, number: int = 1) -> None:
    recipients = [NewRecipient("friend@example.net", "example.net"), NewRecipient("foe@example.net", "example.net")]
    queue.enqueue(
        [NewMessage(number, account.address, recipients, 4, now, body=b"a\r\nb", account=account.pk)], now=now
    )


def test_an_account_owns_its_own_address(add: Add) -> None:
    account = add(BECKY, senders=["Ichiro+*@example.org", "@Example.net", BECKY.address])
    patterns = [sender.pattern for sender in account.senders.all()]
    assert patterns == [BECKY.address, "ichiro+*@example.org", "*@example.net"]


def test_an_address_is_stored_in_normal_form_and_found_in_any(now: datetime) -> None:
    services.add(actor="test", now=now, address="Ichiro@EXAMPLE.org", password=BECKY.password)
    assert services.find(" ICHIRO@example.ORG ").address == "ichiro@example.org"


def test_a_password_is_kept_as_a_verifier_and_never_in_the_activity(add: Add) -> None:
    account = add(BECKY)
    assert account.check_password(BECKY.password)
    entry = Entry.objects.get()
    assert BECKY.password not in f"{account.password}{entry.before}{entry.after}"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"address": "ichiro"}, "address"),
        ({"password": "short"}, "password"),
        ({"senders": ["*"]}, "senders"),
        ({"name": "x" * 101}, "name"),
        ({"quota": -1}, "quota"),
        ({"note": "x" * 2001}, "note"),
    ],
)
def test_a_wrong_value_is_refused_under_its_field_and_nothing_is_kept(
    now: datetime, changes: dict[str, object], field: str
) -> None:
    values: dict[str, object] = {"address": BECKY.address, "password": BECKY.password, **changes}
    with pytest.raises(ValidationError) as refused:
        services.add(actor="test", now=now, **values)  # type: ignore[arg-type]  # wrong on purpose
    assert field in refused.value.message_dict
    assert not Account.objects.exists()
    assert not Entry.objects.exists()


def test_an_address_that_is_taken_is_refused_in_any_case(add: Add, now: datetime) -> None:
    add(BECKY)
    with pytest.raises(ValidationError, match="already an account"):
        services.add(actor="test", now=now, address=BECKY.address.upper(), password=BECKY.password)


def test_an_edit_tells_before_and_after_of_what_changed_alone(add: Add, now: datetime) -> None:
    account = add(BECKY, name="Ichiro", note="old")
    services.edit(account, actor="test", now=now, name="Ichiro", note="new")
    entry = Entry.objects.latest("id")
    assert (entry.verb, entry.before, entry.after) == ("account.edit", {"note": "old"}, {"note": "new"})


def test_an_edit_that_changes_nothing_leaves_no_entry(add: Add, now: datetime) -> None:
    services.edit(add(BECKY, name="Ichiro"), actor="test", now=now, name="Ichiro")
    assert _verbs() == ["account.add"]


def test_an_edit_refuses_a_wrong_value(add: Add, now: datetime) -> None:
    account = add(BECKY)
    with pytest.raises(ValidationError):
        services.edit(account, actor="test", now=now, quota=-5)
    assert Account.objects.get().quota is None


@pytest.mark.parametrize("field", ["address", "password", "epoch", "suspended_at"])
def test_what_has_a_function_of_its_own_is_not_edited(add: Add, now: datetime, field: str) -> None:
    with pytest.raises(TypeError):
        services.edit(add(BECKY), actor="test", now=now, **{field: "x"})


def test_suspending_ends_sessions_and_holds_waiting_mail(add: Add, now: datetime) -> None:
    server.initialise(now)
    account = add(BECKY)
    _mail(account, now)
    services.suspend(account, actor=ADMINISTRATOR.address, now=now)
    stored = Account.objects.get()
    assert (stored.suspended_at, stored.epoch, stored.is_active) == (now, 2, False)
    assert set(Recipient.objects.values_list("state", "hold_reason")) == {(State.HELD, "account")}


def test_resuming_releases_the_mail_that_was_held(add: Add, now: datetime) -> None:
    server.initialise(now)
    account = add(BECKY)
    _mail(account, now)
    services.suspend(account, actor="test", now=now)
    services.resume(account, actor="test", now=now)
    assert Account.objects.get().is_active
    assert set(Recipient.objects.values_list("state", flat=True)) == {State.WAITING}
    assert _verbs()[-2:] == ["account.suspend", "account.resume"]


def test_suspending_twice_is_once(add: Add, now: datetime) -> None:
    account = add(BECKY)
    services.suspend(account, actor="test", now=now)
    services.suspend(account, actor="test", now=now + timedelta(hours=1))
    services.resume(account, actor="test", now=now)
    services.resume(account, actor="test", now=now)
    assert _verbs() == ["account.add", "account.suspend", "account.resume"]
    assert Account.objects.get().epoch == 2


def test_a_change_works_on_the_row_and_not_on_an_old_copy(add: Add, now: datetime) -> None:
    first, second = add(BECKY), services.find(BECKY.address)
    services.set_password(first, OUTLOOK.password, actor="test", now=now)
    services.suspend(second, actor="test", now=now)
    stored = Account.objects.get()
    assert stored.epoch == 3
    assert stored.check_password(OUTLOOK.password)


def test_a_new_password_replaces_the_old_one_and_ends_sessions(add: Add, now: datetime) -> None:
    account = add(BECKY)
    later = now + timedelta(days=1)
    services.set_password(account, OUTLOOK.password, actor="test", now=later)
    stored = Account.objects.get()
    assert stored.check_password(OUTLOOK.password)
    assert not stored.check_password(BECKY.password)
    assert (stored.epoch, stored.password_changed_at) == (2, later)


def test_a_weak_new_password_changes_nothing(add: Add, now: datetime) -> None:
    account = add(BECKY)
    with pytest.raises(ValidationError):
        services.set_password(account, "123456789012", actor="test", now=now)
    assert Account.objects.get().check_password(BECKY.password)


def test_senders_are_replaced_and_the_own_address_stays(add: Add, now: datetime) -> None:
    account = add(BECKY, senders=["shop@example.org"])
    services.set_senders(account, ["club@example.org"], actor="test", now=now)
    assert [sender.pattern for sender in account.senders.all()] == [BECKY.address, "club@example.org"]
    assert Entry.objects.latest("id").before == {"senders": [BECKY.address, "shop@example.org"]}


@pytest.mark.parametrize("act", ["suspend", "remove", "demote"])
def test_the_last_administrator_stays(add: Add, now: datetime, act: str) -> None:
    account = add(ADMINISTRATOR)
    services.suspend(add(OUTLOOK), actor="test", now=now)
    services.edit(services.find(OUTLOOK.address), actor="test", now=now, is_administrator=True)  # but suspended
    with pytest.raises(ValidationError, match="only administrator"):
        _act(act, account, now)
    stored = Account.objects.get(address=ADMINISTRATOR.address)
    assert stored.is_active
    assert stored.is_administrator


@pytest.mark.parametrize("act", ["suspend", "remove", "demote"])
def test_one_of_two_administrators_may_go(add: Add, now: datetime, act: str) -> None:
    account = add(ADMINISTRATOR)
    services.edit(add(OUTLOOK), actor="test", now=now, is_administrator=True)
    _act(act, account, now)
    assert not Account.objects.filter(pk=account.pk, is_administrator=True, suspended_at=None).exists()


def _act(act: str, account: Account, now: datetime) -> None:
    if act == "suspend":
        services.suspend(account, actor="test", now=now)
    elif act == "remove":
        services.remove(account, actor="test", now=now)
    else:
        services.edit(account, actor="test", now=now, is_administrator=False)


def test_an_account_with_waiting_mail_goes_only_when_that_is_said(add: Add, now: datetime) -> None:
    server.initialise(now)
    account = add(BECKY)
    _mail(account, now)
    with pytest.raises(ValidationError, match="2 recipients still wait"):
        services.remove(account, actor="test", now=now)
    services.remove(account, actor="test", now=now, cancel_mail=True)
    assert set(Recipient.objects.values_list("state", flat=True)) == {State.CANCELLED}
    assert not Account.objects.exists()
    assert Message.objects.get().account is None  # the history of its mail stays
    assert Entry.objects.latest("id").after == {"cancelled": 2}


def test_what_belongs_to_an_account_goes_with_it(add: Add, now: datetime) -> None:
    services.remove(add(BECKY, senders=["shop@example.org"]), actor="test", now=now)
    assert not SenderAddress.objects.exists()
    with pytest.raises(ValidationError, match="no account"):
        services.find(BECKY.address)


def test_a_change_of_an_account_removed_meanwhile_is_refused_in_words(add: Add, now: datetime) -> None:
    account, copy = add(BECKY), services.find(BECKY.address)
    services.remove(account, actor="test", now=now)
    with pytest.raises(ValidationError, match="removed meanwhile"):
        services.suspend(copy, actor="test", now=now)


@pytest.mark.parametrize("text", ["", "nobody", "nobody@example.org", "\0", "a@b@c"])
def test_looking_for_nobody_says_so(text: str) -> None:
    with pytest.raises(ValidationError, match="There is no account"):
        services.find(text)


def test_only_an_administrator_who_is_not_suspended_signs_in_to_the_panel(add: Add, now: datetime) -> None:
    administrator, ordinary = add(ADMINISTRATOR), add(BECKY)
    services.edit(ordinary, actor="test", now=now, is_administrator=True)
    assert authenticate(username="ICHIRO@example.org", password=BECKY.password) == ordinary
    services.edit(ordinary, actor="test", now=now, is_administrator=False)
    assert authenticate(username=BECKY.address, password=BECKY.password) is None
    services.edit(ordinary, actor="test", now=now, is_administrator=True)
    services.suspend(administrator, actor="test", now=now)
    assert authenticate(username=ADMINISTRATOR.address, password=ADMINISTRATOR.password) is None
    assert authenticate(username="no address", password=BECKY.password) is None
