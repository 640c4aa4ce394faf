"""Which way a recipient's mail goes, and how long an agent lives."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from mailadmin.policy.snapshot import DomainPolicy, RoutePolicy, Snapshot
from mailadmin.queue.envelopes import ClaimedMessage, ClaimedRecipient, Verdict
from smtpd.delivery.agent import Body, DeliveryAgent
from smtpd.delivery.dispatch import BATCH, Agents, Lane, divide, lane
from tests.runner.policy import claimed, policy, smarthost, via

LOCAL = (
    DomainPolicy("example.org", "maildir", "", ""),
    DomainPolicy("dovecot.example", "lmtp", "/run/lmtp", ""),
)
EVERYWHERE = policy(
    via("*", "isp.example"), via("direct.example"), RoutePolicy("never.example", "none", ()), domains=LOCAL
)


def test_a_domain_leads_to_its_lane() -> None:
    assert lane(EVERYWHERE, "example.org") == Lane("maildir")
    assert lane(EVERYWHERE, "dovecot.example") == Lane("lmtp", "/run/lmtp")
    assert lane(EVERYWHERE, "direct.example") == Lane("mx", "direct.example")
    assert lane(EVERYWHERE, "anything.example") == Lane("smarthost", smarthosts=(smarthost("isp.example"),))
    assert lane(EVERYWHERE, "never.example") is None
    assert lane(policy(), "anything.example") is None


def test_a_message_is_divided_by_lanes_in_the_order_of_its_recipients() -> None:
    message = claimed("a@one.example", "b@example.org", "c@two.example", "d@never.example", "e@direct.example")
    jobs, lost = divide(EVERYWHERE, message, message.recipients)
    told = [(job.lane.kind, [recipient.address for recipient in job.recipients]) for job in jobs]
    assert told == [
        ("smarthost", ["a@one.example", "c@two.example"]),
        ("maildir", ["b@example.org"]),
        ("mx", ["e@direct.example"]),
    ]
    assert [recipient.address for recipient in lost] == ["d@never.example"]


def test_many_recipients_go_in_batches() -> None:
    message = claimed(*(f"r{number}@one.example" for number in range(2 * BATCH + 1)))
    jobs, _ = divide(EVERYWHERE, message, message.recipients)
    assert [len(job.recipients) for job in jobs] == [BATCH, BATCH, 1]


class _Agent:
    """Delivers nothing and notes its end."""

    def __init__(self) -> None:
        self.closed = False

    async def deliver(
        self, message: ClaimedMessage, recipients: tuple[ClaimedRecipient, ...], body: Body
    ) -> Mapping[int, Verdict]:
        raise NotImplementedError

    async def close(self) -> None:
        self.closed = True


class _Maker:
    """Makes agents and keeps them for the test."""

    def __init__(self) -> None:
        self.made: list[_Agent] = []

    def __call__(self, way: Lane, snapshot: Snapshot) -> DeliveryAgent:
        del way, snapshot
        self.made.append(_Agent())
        return self.made[-1]


def test_an_agent_is_made_once_for_what_it_is_made_from() -> None:
    async def scenario() -> None:
        make = _Maker()
        agents = Agents(make)
        ways = [lane(EVERYWHERE, name) for name in ("one.example", "two.example", "direct.example", "example.org")]
        for way in [*ways, *ways, Lane("mx", "other.example")]:
            assert way is not None
            async with agents.agent(way, EVERYWHERE):
                pass
        assert len(make.made) == 3
        await agents.close()
        assert all(agent.closed for agent in make.made)

    asyncio.run(scenario())


def test_an_agent_of_an_old_policy_ends_when_nobody_uses_it() -> None:
    async def scenario() -> None:
        make = _Maker()
        agents = Agents(make)
        changed = policy(via("*", "other.example"))
        old, new = (lane(snapshot, "one.example") for snapshot in (EVERYWHERE, changed))
        assert old is not None
        assert new is not None
        async with agents.agent(old, EVERYWHERE):
            async with agents.agent(new, changed):
                assert [agent.closed for agent in make.made] == [False, False]
            assert not make.made[0].closed
        assert [agent.closed for agent in make.made] == [True, False]

    asyncio.run(scenario())


def test_another_host_name_makes_another_agent() -> None:
    async def scenario() -> None:
        make = _Maker()
        agents = Agents(make)
        renamed = policy(via("*", "isp.example"), hostname="new.example.org")
        for snapshot in (EVERYWHERE, renamed):
            way = lane(snapshot, "one.example")
            assert way is not None
            async with agents.agent(way, snapshot):
                pass
        assert len(make.made) == 2

    asyncio.run(scenario())
