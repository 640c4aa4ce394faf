"""Tests of a way out, from the one who asks to the one who answers."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from mailadmin.generation import services as generation
from mailadmin.routing import services, trials
from mailadmin.routing.models import RouteTest, Smarthost
from mailadmin.routing.services import SmarthostInput

pytestmark = pytest.mark.django_db
STEPS = [{"step": "connect", "ok": True, "text": "192.0.2.1"}]


def _ask(now: datetime, **more: object) -> RouteTest:
    target = trials.target_of(SmarthostInput("relay.example.net", 587, "starttls", "u"))
    return trials.ask_test(now=now, target=target, **more)  # type: ignore[arg-type]  # of one test


def test_a_test_is_claimed_once_oldest_first(now: datetime) -> None:
    first, second = _ask(now), _ask(now)
    claimed = [trials.claim_test(now), trials.claim_test(now), trials.claim_test(now)]
    assert [test and test.pk for test in claimed] == [first.pk, second.pk, None]


def test_asking_for_work_takes_one_query_while_there_is_none(
    now: datetime, django_assert_num_queries: pytest.FixtureRequest
) -> None:
    with django_assert_num_queries(1):  # type: ignore[operator]  # pytest-django's fixture has no public type
        assert trials.claim_test(now) is None


def test_the_runner_gets_the_typed_password_and_the_answer_drops_it(now: datetime) -> None:
    asked = _ask(now, password="typed")
    assert "typed" not in asked.password_sealed
    claimed = trials.claim_test(now)
    assert claimed is not None
    assert trials.test_password(claimed) == "typed"
    trials.answer_test(claimed.pk, ok=True, steps=STEPS, now=now)
    answered = RouteTest.objects.get()
    assert (answered.ok, answered.steps, answered.finished_at) == (True, STEPS, now)
    assert trials.test_password(answered) is None


def test_a_saved_password_serves_when_none_is_typed(now: datetime) -> None:
    services.set_route(
        actor="test",
        now=now,
        pattern="*",
        via="smarthost",
        smarthosts=[SmarthostInput("relay.example.net", 587, "starttls", "u", "saved")],
    )
    saved = Smarthost.objects.get()
    assert trials.test_password(_ask(now, smarthost=saved)) == "saved"
    assert trials.test_password(_ask(now, smarthost=saved, password="typed")) == "typed"
    assert trials.test_password(_ask(now)) is None


def test_nobody_begins_a_test_that_nobody_waits_for(now: datetime) -> None:
    _ask(now)
    assert trials.claim_test(now + timedelta(minutes=6)) is None


def test_a_test_whose_runner_died_is_begun_again(now: datetime) -> None:
    asked = _ask(now)
    assert trials.claim_test(now)
    assert trials.claim_test(now + timedelta(minutes=1)) is None
    again = trials.claim_test(now + timedelta(minutes=3))
    assert again is not None
    assert again.pk == asked.pk


def test_the_first_answer_stands(now: datetime) -> None:
    asked = _ask(now)
    trials.answer_test(asked.pk, ok=True, steps=STEPS, now=now)
    trials.answer_test(asked.pk, ok=False, steps=[], now=now)
    assert RouteTest.objects.get().ok is True
    assert trials.claim_test(now) is None


def test_old_tests_go_when_new_ones_are_asked_for(now: datetime) -> None:
    _ask(now - timedelta(days=2))
    kept = _ask(now)
    assert [test.pk for test in RouteTest.objects.all()] == [kept.pk]


def test_a_runner_is_alive_while_it_says_so(now: datetime) -> None:
    assert not trials.runner_is_alive(now)
    for role in ("worker", "runner"):
        assert not trials.runner_is_alive(now)
        generation.beat(node="here", pid=len(role), role=role, generation=1, started_at=now, problems=[], now=now)
    assert trials.runner_is_alive(now)
    assert not trials.runner_is_alive(now + timedelta(minutes=1))
