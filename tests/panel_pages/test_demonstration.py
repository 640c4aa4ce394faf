"""The demonstration: a household in every state, in an empty installation and in no other."""

from __future__ import annotations

import io

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from mailadmin.accounts.models import Account
from mailadmin.activity.models import SignIn
from mailadmin.activity.sign_in_reasons import OK
from mailadmin.panel.demonstration.fill import fill
from mailadmin.panel.demonstration.household import HANAKO, MEMBERS
from mailadmin.queue.envelopes import queue_id
from mailadmin.queue.models import Attempt, Message, Recipient, State
from tests.panel import people

pytestmark = pytest.mark.django_db(databases="__all__")


@pytest.fixture
def household() -> Client:
    """The browser of the demonstration's administrator."""
    fill(timezone.now(), "soba-noren-kumo-7316")
    return people.signed_in(Account.objects.get(address=HANAKO.address))


@pytest.mark.usefixtures("household")
def test_it_has_people_sign_ins_and_mail_in_every_state() -> None:
    assert Account.objects.count() == len(MEMBERS)
    states = set(Recipient.objects.values_list("state", flat=True))
    assert states == {State.WAITING, State.HELD, State.DELIVERED, State.FAILED}
    assert {"password", "unknown", "suspended", "tls-required", "mechanism", OK} == set(
        SignIn.objects.values_list("result", flat=True)
    )
    assert {"delivered", "deferred", "failed"} == set(Attempt.objects.values_list("outcome", flat=True))
    assert Message.objects.filter(sender="").exists()  # a notice


@pytest.mark.usefixtures("household")
def test_it_names_nobody_who_could_exist() -> None:
    reserved = ("example.org", "example.net", "example.com", ".example")
    assert [
        address for address in Recipient.objects.values_list("address", flat=True) if not address.endswith(reserved)
    ] == []


def test_every_page_of_it_can_be_looked_at(household: Client) -> None:
    paths = [
        "/",
        "/mail/",
        "/mail/?state=failed",
        "/sign-ins/",
        "/activity/",
        "/accounts/",
        "/settings/delivery/route/*/",
    ]
    paths += [f"/mail/{queue_id(number)}/" for number in Message.objects.values_list("pk", flat=True)]
    for path in paths:
        assert household.get(path).status_code == 200, path


def test_an_installation_with_accounts_is_refused() -> None:
    people.set_up()
    with pytest.raises(CommandError, match="There are accounts already"):
        call_command("demo", stdout=io.StringIO())
    assert not Message.objects.exists()


def test_the_command_fills_and_says_how_to_sign_in() -> None:
    out = io.StringIO()
    call_command("demo", stdout=out)
    assert "hanako@example.org" in out.getvalue()
    password = out.getvalue().split("password ")[1].split(";")[0]
    assert Account.objects.get(address=HANAKO.address).check_password(password)
