"""What kill -9 leaves, row by row of docs/queue.md: always the state before an event or the one after it.

The events run in processes that kill themselves (see `tests.queue.crashing`); here is looked at what they left, and
that the mail comes out of it.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from django.conf import settings
from django.db import connections

from mailadmin.accounts.models import Account
from mailadmin.activity.models import Entry
from mailadmin.bodies import services as bodies
from mailadmin.bodies.models import BodyChunk
from mailadmin.queue import services
from mailadmin.queue.models import Attempt, Message, MessageBody, Recipient, State
from mailadmin.queue.services import Selection
from mailadmin.queue.states import TRANSITIONS, Event
from tests.cast import BECKY
from tests.ground.checkout import PYTHON, ROOT, environment
from tests.ground.clock import START, Clock
from tests.queue.mail import LEASE, claim, deliver, notices, put, states

pytestmark = [pytest.mark.django_db(transaction=True, databases="__all__"), pytest.mark.usefixtures("server")]
Crash = Callable[[str, str, int], None]
BY_PEOPLE = ("hold", "release", "retry", "cancel", "give_back")


@pytest.fixture(scope="module")
def forks(django_db_setup: None) -> Iterator[subprocess.Popen[str]]:  # noqa: ARG001  # the databases must be there
    """Start the server of forks on this run's databases."""
    names = {alias: connections[alias].settings_dict["NAME"] for alias in settings.DATABASES}
    with subprocess.Popen(
        [PYTHON, "-m", "tests.queue.crashing", json.dumps(names, default=str), START.isoformat()],
        cwd=ROOT,
        env=environment(
            DJANGO_SETTINGS_MODULE="mailadmin.settings",
            MAILADMIN_HOME=str(settings.HOME),
            DATABASE_URL=os.environ.get("DATABASE_URL", ""),
        ),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        yield server
        assert server.stdin is not None
        server.stdin.close()


@pytest.fixture
def crash(forks: subprocess.Popen[str]) -> Crash:
    """Do an event to a message in a process that is killed at a moment."""

    def do(event: str, moment: str, message: int = 0) -> None:
        assert forks.stdin is not None
        assert forks.stdout is not None
        forks.stdin.write(f"{event} {moment} {message}\n")
        forks.stdin.flush()
        assert forks.stdout.readline() == "killed\n"

    return do


def _in_state(state: State) -> int:
    """Return a message of an account whose only recipient is in `state`."""
    account = Account.objects.create(address=BECKY.address, created_at=START, password_changed_at=START)
    message = put(START, account=account.pk)
    if state == State.DELIVERING:
        claim(START)
    elif state == State.HELD:
        services.hold(Selection(messages=[message]), actor="test", now=START)
        Entry.objects.all().delete()
    return message


def _comes_out(message: int) -> None:
    """Check that a runner which starts later delivers what is not final and not held."""
    services.let_go_all(services.lease_owners())
    services.release(Selection(messages=[message]), actor="test", now=START)
    deliver(START + timedelta(hours=6))
    assert states(message) in ([State.DELIVERED], [State.FAILED], [State.CANCELLED])


@pytest.mark.parametrize("event", TRANSITIONS)
def test_killed_before_the_commit_an_event_has_not_happened(crash: Crash, event: Event) -> None:
    source = TRANSITIONS[event].sources[0]
    message = _in_state(source)
    due = Recipient.objects.get().next_attempt_at
    crash(event, "before", message)
    recipient = Recipient.objects.get()
    assert (recipient.state, recipient.next_attempt_at, recipient.attempts) == (source, due, 0)
    assert Message.objects.get().open_recipients == 1
    assert not Attempt.objects.exists()
    assert not Entry.objects.exists()
    assert notices() == []
    assert b"".join(bodies.read(message))
    _comes_out(message)


@pytest.mark.parametrize("event", TRANSITIONS)
def test_killed_after_the_commit_an_event_has_happened_as_a_whole(crash: Crash, event: Event) -> None:
    transition = TRANSITIONS[event]
    message = _in_state(transition.sources[0])
    crash(event, "after", message)
    assert states(message) == [transition.target]
    assert Message.objects.get(pk=message).open_recipients == int(not transition.is_final)
    assert MessageBody.objects.filter(pk=message).exists() is not transition.is_final
    assert bool(notices()) is (event in {"fail", "expire", "give_back"})
    assert Attempt.objects.count() == {"deliver": 1, "defer": 1, "fail": 1, "expire": 2}.get(event, 0)
    assert Entry.objects.count() == int(event in BY_PEOPLE)
    _comes_out(message)


def test_killed_before_the_commit_nothing_was_accepted(crash: Crash) -> None:
    crash("accept", "before", 0)
    assert not any(model.objects.exists() for model in (Message, MessageBody, Recipient))


def test_killed_after_the_commit_the_mail_is_there_although_nobody_was_told(crash: Crash) -> None:
    crash("accept", "after", 0)
    message = Message.objects.get()
    assert b"".join(bodies.read(message.pk))
    assert len(claim(START)) == 1


@pytest.mark.parametrize("event", ["upload", "seal"])
@pytest.mark.parametrize("moment", ["before", "after"])
def test_an_upload_that_breaks_off_is_no_mail_and_is_swept(crash: Crash, clock: Clock, event: str, moment: str) -> None:
    bodies.put_chunk(7, 0, b"Subject: x\r\n", clock.now)
    crash(event, moment, 7)
    assert claim(clock.now) == []
    assert services.sweep(clock.advance(timedelta(days=2))).bodies == 1
    assert not BodyChunk.objects.exists()


def test_what_was_delivered_and_not_recorded_is_delivered_again_by_the_next_runner(crash: Crash, clock: Clock) -> None:
    message = put(clock.now)
    crash("claim", "after", message)  # and the far side said yes
    assert claim(clock.now, owner="two:2") == []
    assert services.let_go_all(["one:1"]) == 1
    assert len(claim(clock.now, owner="two:2")) == 1


def test_where_no_runner_of_the_node_starts_again_another_one_waits_for_the_lease(crash: Crash, clock: Clock) -> None:
    crash("claim", "after", put(clock.now))
    assert claim(clock.advance(LEASE - timedelta(seconds=1)), owner="two:2") == []
    assert len(claim(clock.advance(1), owner="two:2")) == 1


def test_killed_before_its_chunks_are_dropped_a_finished_message_loses_them_to_the_sweep(
    crash: Crash, clock: Clock
) -> None:
    message = put(clock.now, chunks=[b"Subject: x\r\n\r\n", b"y"])
    claim(clock.now)
    crash("deliver", "committed", message)
    assert states(message) == [State.DELIVERED]
    assert BodyChunk.objects.count() == 2
    assert services.sweep(clock.advance(timedelta(days=2))).bodies == 1
    assert not BodyChunk.objects.exists()
