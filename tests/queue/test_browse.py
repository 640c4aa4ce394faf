"""Where is my mail? By anything that people know of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from mailadmin.accounts.models import Account
from mailadmin.queue import browse, services
from mailadmin.queue.envelopes import queue_id
from mailadmin.queue.models import Attempt
from mailadmin.queue.services import Selection
from tests.cast import BECKY
from tests.ground.clock import Clock
from tests.queue.mail import FRIEND, a_message, a_verdict, claim, deliver, put, record

pytestmark = [pytest.mark.django_db(databases="__all__"), pytest.mark.usefixtures("server")]


def _found(text: str = "", **more: object) -> list[int]:
    return [message.pk for message in browse.search(text, **more).messages]  # type: ignore[arg-type]  # of search


def test_mail_is_found_by_what_people_know_of_it(clock: Clock) -> None:
    wanted = put(clock.now, "Anna.Smith@friends.example", message_id="<abc@becky>", sender="ichiro@example.org")
    put(clock.now, "bob@elsewhere.example", message_id="<def@olga>", sender="olga@example.org")
    for text in (
        queue_id(wanted),
        queue_id(wanted).upper(),
        "Anna.Smith@friends.example",
        "friends.example",
        "@FRIENDS.example",
        "<abc@becky>",
        "abc@becky",
        "ichiro@example.org",
        "ICHIRO@example.org",
        "smith",
        "Anna",
        " abc ",
    ):
        assert _found(text) == [wanted], text
    assert _found("nobody@friends.example") == []
    assert _found("100%") == []


def test_each_filter_shows_its_states(clock: Clock) -> None:
    sent, failed, held, cancelled = (put(clock.now) for _ in range(4))
    for message, action in ((held, services.hold), (cancelled, services.cancel)):
        action(Selection(messages=[message]), actor="test", now=clock.now)
    for claimed in claim(clock.now):
        record(clock.now, [claimed], a_verdict("delivered" if claimed.id == sent else "failed"))
    notice = claim(clock.now)[0].id
    assert _found(state="sent") == [sent]
    assert _found(state="failed") == [failed]
    assert _found(state="held") == [held]
    assert _found(state="cancelled") == [cancelled]
    assert _found(state="waiting") == [notice]
    assert _found(state="open") == [notice, held]
    assert _found() == [notice, cancelled, held, failed, sent]
    assert _found(FRIEND, state="held") == [held]


def test_an_accounts_mail_can_be_singled_out(clock: Clock) -> None:
    account = Account.objects.create(address=BECKY.address, created_at=clock.now, password_changed_at=clock.now)
    wanted = put(clock.now, account=account.pk)
    put(clock.now)
    assert _found(account=account.pk) == [wanted]


def test_pages_follow_each_other_without_gap_or_overlap(clock: Clock) -> None:
    services.enqueue([a_message(clock.now) for _ in range(7)], now=clock.now)
    pages = [browse.search(page=number, size=3) for number in (1, 2, 3)]
    assert [len(page.messages) for page in pages] == [3, 3, 1]
    assert [page.has_next for page in pages] == [True, True, False]
    numbers = [message.pk for page in pages for message in page.messages]
    assert numbers == sorted(set(numbers), reverse=True)
    assert browse.search(page=-4).number == 1


def test_a_page_takes_the_same_number_of_queries_however_full_it_is(clock: Clock) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as seen:
            for message in browse.search().messages:
                assert message.recipients.all()
        return len(seen)

    put(clock.now)
    few = queries()
    services.enqueue([a_message(clock.now, FRIEND, "other@example.com") for _ in range(40)], now=clock.now)
    assert queries() == few == 2


def test_the_detail_has_every_try_in_order(clock: Clock) -> None:
    number = put(clock.now, FRIEND, "other@example.com")
    deliver(clock.now, "deferred")
    deliver(clock.advance(timedelta(minutes=10)))
    message = browse.detail(number)
    assert message is not None
    tries = [[attempt.outcome for attempt in recipient.tries.all()] for recipient in message.recipients.all()]
    assert tries == [["deferred", "delivered"]] * 2
    assert Attempt.objects.count() == 4
    assert browse.detail(1) is None


def test_the_queue_is_counted(clock: Clock) -> None:
    put(clock.now)
    deliver(clock.now)
    clock.advance(timedelta(days=1))
    put(clock.now, FRIEND, "other@example.com")
    deliver(clock.now)
    put(clock.now)
    deliver(clock.now, "deferred")
    held = put(clock.now)
    services.hold(Selection(messages=[held]), actor="test", now=clock.now)
    due = put(clock.now)
    counts = browse.counts(clock.advance(1))
    assert (counts.waiting, counts.held, counts.accepted_today) == (2, 1, 4)
    assert (counts.delivered_today, counts.failed_today) == (2, 0)
    assert counts.due_since == clock.now - timedelta(seconds=1)
    services.cancel(Selection(messages=[due]), actor="test", now=clock.now)
    assert browse.counts(clock.now).due_since is None


@pytest.mark.sqlite_only
@pytest.mark.parametrize(
    "look",
    [
        lambda: browse.search("friend@example.net"),
        lambda: browse.search("<one@example.org>"),
        lambda: browse.search(state="waiting"),
        lambda: browse.search(state="failed"),
        browse.search,
    ],
    ids=["address", "message-id", "waiting", "failed", "all"],
)
def test_common_questions_are_answered_by_an_index(clock: Clock, look: Callable[[], object]) -> None:
    put(clock.now)
    with CaptureQueriesContext(connection) as seen:
        look()
    plans: list[str] = []
    for query in seen.captured_queries:
        with connection.cursor() as cursor:
            cursor.execute("EXPLAIN QUERY PLAN " + query["sql"])
            plans += [row[-1] for row in cursor.fetchall()]
    # The list itself walks down the primary key.
    walks = [plan for plan in plans if plan.startswith("SCAN") and "queue_message" not in plan]
    assert not [plan for plan in walks if "INDEX" not in plan], plans
