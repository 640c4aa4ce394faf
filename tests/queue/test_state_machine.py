"""Whatever happens in whatever order, recipients move only along the table of `mailadmin.queue.states`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from mailadmin.accounts.models import Account
from mailadmin.bodies import services as bodies
from mailadmin.bodies.models import BodyChunk
from mailadmin.queue import services
from mailadmin.queue.envelopes import ClaimedMessage, Outcome
from mailadmin.queue.models import FINAL_STATES, Message, MessageBody, Recipient, State
from mailadmin.queue.services import Selection
from mailadmin.queue.states import TRANSITIONS, Event
from tests.cast import BECKY
from tests.ground.clock import Clock
from tests.queue.mail import LEASE, a_verdict, claim, put, record

OWNERS = ("one:1", "two:2")
OUTCOMES: tuple[Outcome, ...] = ("delivered", "deferred", "failed")


class Life(RuleBasedStateMachine):
    """Two runners, an administrator, an account that comes and goes, and time."""

    def __init__(self) -> None:
        super().__init__()
        for model in (Message, Account, BodyChunk):
            model.objects.all().delete()
        self.clock = Clock()
        self.account = Account.objects.create(
            address=BECKY.address, created_at=self.clock.now, password_changed_at=self.clock.now
        )
        self.claimed: dict[str, list[ClaimedMessage]] = {owner: [] for owner in OWNERS}

    @contextmanager
    def only(self, *events: Event) -> Iterator[None]:
        """Check that what the block does to each recipient is a chain of `events`."""
        before = dict(Recipient.objects.values_list("pk", "state"))
        yield
        after = dict(Recipient.objects.values_list("pk", "state"))
        assert before.keys() <= after.keys()
        for number, state in before.items():
            reachable = {state}
            for event in events:
                transition = TRANSITIONS[event]
                reachable |= {transition.target for source in transition.sources if source in reachable}
            assert after[number] in reachable, f"{events}: {state} -> {after[number]}"
        born = {after[number] for number in after.keys() - before.keys()}
        assert born <= {State.WAITING}

    @rule(recipients=st.integers(1, 3), owned=st.booleans(), large=st.booleans())
    def accept(self, recipients: int, owned: bool, large: bool) -> None:
        with self.only():
            put(
                self.clock.now,
                *(f"r{number}@example.net" for number in range(recipients)),
                account=self.account.pk if owned else None,
                chunks=[b"Subject: large\r\n\r\n", b"x"] if large else [],
            )

    @rule(owner=st.sampled_from(OWNERS), limit=st.integers(1, 5))
    def claim(self, owner: str, limit: int) -> None:
        with self.only("lapse", "suspend", "claim"):
            found = claim(self.clock.now, owner=owner, limit=limit)
        self.claimed[owner] += found
        suspended = Account.objects.get().suspended_at is not None
        assert not [message for message in found if suspended and message.account is not None]

    @rule(owner=st.sampled_from(OWNERS), outcome=st.sampled_from(OUTCOMES), pick=st.integers(0, 9))
    def record(self, owner: str, outcome: Outcome, pick: int) -> None:
        if not self.claimed[owner]:
            return
        message = self.claimed[owner].pop(pick % len(self.claimed[owner]))
        with self.only("deliver", "defer", "fail", "expire"):
            record(self.clock.now, [message], a_verdict(outcome), owner=owner)

    @rule(owner=st.sampled_from(OWNERS))
    def die(self, owner: str) -> None:
        """The runner is killed; the one that follows forgets what was claimed and frees it."""
        self.claimed[owner].clear()
        with self.only("lapse"):
            services.let_go_all([owner])

    @rule(step=st.sampled_from([timedelta(seconds=1), LEASE, timedelta(minutes=6), timedelta(hours=5)]))
    def wait(self, step: timedelta) -> None:
        self.clock.advance(step)

    @rule()
    def wait_for_days(self) -> None:
        self.clock.advance(timedelta(days=5))

    @rule(action=st.sampled_from(["hold", "release", "retry", "cancel", "give_back"]), pick=st.integers(0, 99))
    @precondition(lambda _: Recipient.objects.exists())
    def act(self, action: Event, pick: int) -> None:
        numbers = list(Recipient.objects.order_by("pk").values_list("pk", flat=True))
        chosen = Selection(recipients=[numbers[pick % len(numbers)]])
        with self.only(action):
            getattr(services, action)(chosen, actor="test", now=self.clock.now)

    @rule()
    def suspend(self) -> None:
        with self.only("suspend"):
            Account.objects.update(suspended_at=self.clock.now)
            services.hold_account(self.account.pk, now=self.clock.now)

    @rule()
    def resume(self) -> None:
        with self.only("release"):
            Account.objects.update(suspended_at=None)
            services.release_account(self.account.pk, now=self.clock.now)

    @invariant()
    def a_message_knows_how_many_are_open(self) -> None:
        for message in Message.objects.prefetch_related("recipients"):
            still = [each for each in message.recipients.all() if each.state not in FINAL_STATES]
            assert message.open_recipients == len(still)

    @invariant()
    def a_body_is_there_exactly_as_long_as_somebody_needs_it(self) -> None:
        small = set(MessageBody.objects.values_list("pk", flat=True))
        large = set(BodyChunk.objects.values_list("message", flat=True))
        for message in Message.objects.all():
            assert (message.pk in (large if message.chunked else small)) == (message.open_recipients > 0)
            if message.open_recipients:
                assert b"".join(bodies.read(message.pk))

    @invariant()
    def a_lease_is_held_exactly_while_it_is_delivered(self) -> None:
        for recipient in Recipient.objects.all():
            delivering = recipient.state == State.DELIVERING
            assert bool(recipient.lease_owner) == (recipient.lease_until is not None) == delivering

    @invariant()
    def what_is_final_says_since_when_and_what_is_held_says_why(self) -> None:
        for recipient in Recipient.objects.all():
            assert (recipient.finished_at is not None) == (recipient.state in FINAL_STATES)
            assert bool(recipient.hold_reason) == (recipient.state == State.HELD)


@pytest.mark.django_db(transaction=True, databases="__all__")
@pytest.mark.usefixtures("server")
def test_recipients_move_only_along_the_table() -> None:
    run_state_machine_as_test(
        Life,
        settings=settings(
            max_examples=25,
            stateful_step_count=25,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
