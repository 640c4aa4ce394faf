"""`manage.py queue`."""

from __future__ import annotations

from datetime import datetime

import pytest

from mailadmin.activity.models import Entry
from mailadmin.queue import browse
from mailadmin.queue.envelopes import queue_id
from mailadmin.queue.models import State
from mailadmin.server.models import Server
from tests.cast import BECKY
from tests.commands.calling import manage
from tests.queue.mail import FRIEND, deliver, put, states

pytestmark = [pytest.mark.django_db(databases="__all__"), pytest.mark.usefixtures("server")]


def test_a_list_is_an_array_of_what_has_not_left(now: datetime) -> None:
    put(now)
    deliver(now)
    waiting = put(now, FRIEND, "other@example.com")
    (line,) = manage("queue", "list", "--json").json
    assert (line["id"], line["sender"], line["state"]) == (queue_id(waiting), BECKY.address, "waiting")
    assert [recipient["address"] for recipient in line["recipients"]] == [FRIEND, "other@example.com"]
    assert line["recipients"][0]["state"] == "waiting"
    assert line["next_attempt_at"] == line["accepted_at"] == "2026-04-01T09:00:00Z"
    assert line["size"] > 0
    assert line["last_reply"] == ""


def test_a_list_for_people_is_a_table(now: datetime) -> None:
    assert manage("queue", "list").out == "The queue is empty.\n"
    number = put(now, FRIEND, "other@example.com")
    heading, line = manage("queue", "list").out.splitlines()
    assert heading.split()[:3] == ["id", "sender", "recipients"]
    assert line.startswith(f"{queue_id(number)}  {BECKY.address}  {FRIEND}, other@example.com")


def test_a_list_can_be_searched_filtered_and_cut(now: datetime) -> None:
    sent = put(now, "anna@one.example")
    deliver(now)
    for _ in range(3):
        put(now)
    found = manage("queue", "list", "--state", "sent", "--search", "anna", "--json").json
    assert [line["id"] for line in found] == [queue_id(sent)]
    assert len(manage("queue", "list", "--limit", "2", "--json").json) == 2
    assert manage("queue", "list", "--limit", "0").code == 2


@pytest.mark.parametrize("state", browse.FILTERS)
def test_every_filter_is_a_choice(state: str) -> None:
    assert manage("queue", "list", "--state", state, "--json").json == []


def test_a_message_is_shown_with_each_try(now: datetime) -> None:
    number = put(now)
    deliver(now, "deferred")
    shown = manage("queue", "show", queue_id(number), "--json").json
    (recipient,) = shown["recipients"]
    (attempt,) = recipient["tries"]
    assert (attempt["outcome"], attempt["code"], attempt["reply"]) == ("deferred", 451, "it is deferred")
    assert shown["message_id"] == "<one@example.org>"
    text = manage("queue", "show", queue_id(number)).out
    assert "2026-04-01 09:00:00 deferred (rcpt) mx.example.net[192.0.2.1]:25 451 4.3.0 it is deferred" in text
    assert f"{FRIEND}: waiting, next try 2026-04-01" in text


def test_the_actions_do_what_they_say(now: datetime) -> None:
    number = put(now)
    name = queue_id(number)
    for action, state in (
        ("hold", State.HELD),
        ("release", State.WAITING),
        ("retry", State.WAITING),
        ("hold", State.HELD),
        ("return", State.FAILED),
    ):
        assert manage("queue", action, name, "--json").json == {"recipients": 1}
        assert states(number) == [state]
    assert set(Entry.objects.values_list("actor", flat=True)) == {"command line"}


def test_cancel_ends_the_mail_of_a_domain(now: datetime) -> None:
    number = put(now, "a@one.example", "b@two.example")
    assert manage("queue", "cancel", "--domain", "TWO.example").out == "Mail to 1 recipient is cancelled.\n"
    assert states(number) == [State.WAITING, State.CANCELLED]


def test_an_action_on_all_says_on_how_many(now: datetime) -> None:
    put(now)
    put(now, "a@one.example", "b@two.example")
    assert manage("queue", "hold", "--all").out == "Mail to 3 recipients is held.\n"
    assert manage("queue", "hold", "--all").out == "Mail to 0 recipients is held.\n"


def test_an_action_that_changes_nothing_is_a_problem(now: datetime) -> None:
    number = put(now)
    deliver(now)
    called = manage("queue", "retry", queue_id(number))
    assert (called.code, called.error) == (
        1,
        "Nothing was changed: the mail is in another state, or being delivered right now.",
    )


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("hold",), 2, "Name queue ids"),
        (("hold", "--all", "--domain", "one.example"), 2, "Name queue ids"),
        (("show", "nonsense"), 1, "nonsense is no queue id"),
        (("show", "0000000000000"), 1, "There is no message"),
        (("cancel", "0000000000000"), 1, "There is no message"),
        (("cancel", "--domain", "no domain"), 1, "not a valid name"),
    ],
)
def test_a_wrong_call_says_what_is_wrong(arguments: tuple[str, ...], code: int, words: str) -> None:
    called = manage("queue", *arguments)
    assert called.code == code
    assert words in called.error


def test_the_queue_is_paused_and_resumed() -> None:
    assert manage("queue", "pause", "--json").json == {"paused": True}
    assert Server.objects.get().queue_paused
    assert manage("queue", "resume", "--json").json == {"paused": False}
    assert not Server.objects.get().queue_paused
