"""The broadcaster and its line of events, without a web server."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from mailadmin.activity import services as activity
from mailadmin.activity.models import Entry, SignIn
from mailadmin.panel import live
from mailadmin.panel.events import Event, Marks, Tail, latest, since
from mailadmin.panel.live import Broadcaster, Full, Stream, Subscription
from mailadmin.queue.envelopes import SignInEvent

# The broadcaster's thread has a connection of its own: it sees what is committed.
committed = pytest.mark.django_db(transaction=True)


def _sign_in(login: str = "root") -> None:
    activity.add_sign_ins([SignInEvent(timezone.now(), login, "submission", "203.0.113.7", "unknown")])


@pytest.fixture
def broadcaster() -> Iterator[Broadcaster]:
    """A broadcaster of the test's own, which has ended when the database goes."""
    one = Broadcaster(interval=0.01, limit=3)
    yield one
    one.stop()
    for thread in threading.enumerate():
        if thread.name == "live":
            thread.join(5)


@pytest.mark.parametrize("text", [None, "", "1", "1.2", "1.2.3.4", "a.b.c", "1.2.-3", "1.2.\u0663", "1.2." + "9" * 19])
def test_marks_that_are_none_are_not_believed(text: str | None) -> None:
    assert Marks.parse(text) is None


def test_marks_survive_being_text() -> None:
    assert Marks.parse(str(Marks(3, 2, 1))) == Marks(3, 2, 1)


@pytest.mark.django_db
def test_a_tail_gives_each_event_once_and_also_one_that_commits_late() -> None:
    _sign_in("first")
    tail = Tail(Marks())
    tail._look_back = 100  # as on PostgreSQL, where an id is given before the commit
    assert [event.row.login for event in tail.read() if isinstance(event.row, SignIn)] == ["first"]
    newest = SignIn.objects.get().pk
    SignIn.objects.create(pk=newest + 2, at=timezone.now(), login="early", listener="x", client="x", result="unknown")
    assert [event.id for event in tail.read()] == [newest + 2]
    SignIn.objects.create(pk=newest + 1, at=timezone.now(), login="late", listener="x", client="x", result="unknown")
    assert [event.id for event in tail.read()] == [newest + 1]
    assert tail.read() == []


@pytest.mark.django_db
def test_a_tail_begins_where_it_is_told() -> None:
    _sign_in()
    tail = Tail(latest())
    assert tail.read() == []
    activity.record(actor="a", verb="account.add", subject="b", now=timezone.now())
    assert [event.kind for event in tail.read()] == ["change"]


@pytest.mark.django_db
def test_events_of_all_kinds_are_in_the_order_of_time() -> None:
    now = timezone.now()
    SignIn.objects.create(at=now, login="x", listener="x", client="x", result="ok")
    Entry.objects.create(at=now - timedelta(seconds=1), actor="a", verb="v", subject="s")
    assert [event.kind for event in since(Marks())] == ["change", "sign-in"]


@committed
def test_a_reader_hears_of_what_is_committed_after_it_came(broadcaster: Broadcaster) -> None:
    _sign_in("before")
    subscription = broadcaster.subscribe()
    _sign_in("after")
    event = subscription.get(5)
    assert event is not None
    assert isinstance(event.row, SignIn)
    assert event.row.login == "after"
    assert subscription.get(0.1) is None


@committed
def test_there_are_as_many_places_as_the_limit_says(broadcaster: Broadcaster) -> None:
    places = [broadcaster.subscribe() for _ in range(3)]
    with pytest.raises(Full):
        broadcaster.subscribe()
    places[0].close()
    broadcaster.subscribe()


@committed
def test_nobody_is_taken_any_more_once_it_stops(broadcaster: Broadcaster) -> None:
    subscription = broadcaster.subscribe()
    broadcaster.stop()
    assert subscription.ended
    with pytest.raises(Full):
        broadcaster.subscribe()


@committed
def test_the_thread_ends_with_the_last_reader_and_begins_again_with_the_next(broadcaster: Broadcaster) -> None:
    broadcaster.subscribe().close()
    thread = next(thread for thread in threading.enumerate() if thread.name == "live")
    thread.join(5)
    assert not thread.is_alive()
    subscription = broadcaster.subscribe()
    _sign_in("again")
    assert subscription.get(5) is not None


def test_a_reader_who_is_too_far_behind_is_cut_off() -> None:
    subscription = Subscription(lambda _self: None)
    event = Event("change", 1, timezone.now(), Entry())
    for _ in range(live.BACKLOG + 1):
        subscription.put(event)
    assert subscription.ended


@committed
def test_a_stream_that_nobody_ever_read_gives_its_place_back(broadcaster: Broadcaster) -> None:
    subscription = broadcaster.subscribe()
    Stream(subscription, [], lambda _event: "x", None).close()
    assert len(broadcaster) == 0


@committed
def test_a_stream_beats_when_nothing_happens(broadcaster: Broadcaster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "HEARTBEAT", 0.05)
    monkeypatch.setattr(live, "BREATH", 0.02)
    stream = Stream(broadcaster.subscribe(), [], lambda _event: "x", None)
    assert next(stream) == b"retry: 2000\n\n"
    assert next(stream) == b": still here\n\n"
    stream.close()


@committed
def test_a_stream_ends_at_its_age(broadcaster: Broadcaster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "LONGEST", 0.0)
    assert list(Stream(broadcaster.subscribe(), [], lambda _event: "x", None)) == [b"retry: 2000\n\n"]


def test_a_closed_connection_is_noticed_without_a_write() -> None:
    ours, theirs = socket.socketpair()
    assert not live.is_gone(ours)
    theirs.close()
    assert live.is_gone(ours)
    ours.close()
    assert live.is_gone(ours)
    assert not live.is_gone(None)


@pytest.mark.django_db
def test_the_rows_for_those_without_a_stream_are_the_new_ones_and_say_where_to_go_on(panel: Client) -> None:
    first = panel.get("/live/rows/?show=sign-ins")
    assert first.content == b""
    for login in ("one", "two"):
        _sign_in(login)
    answer = panel.get("/live/rows/", {"show": "sign-ins", "after": first.headers["Live-After"]})
    text = answer.content.decode()
    assert text.index("two") < text.index("one")  # newest first, as the list has them
    again = panel.get("/live/rows/", {"show": "sign-ins", "after": answer.headers["Live-After"]})
    assert again.content == b""


@pytest.mark.django_db
def test_a_head_request_opens_no_stream(panel: Client) -> None:
    assert panel.head("/live/").status_code == 405
