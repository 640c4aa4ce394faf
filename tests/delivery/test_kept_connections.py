"""Connections that are kept between messages: used again, replaced when stale, bounded in number and time."""

from __future__ import annotations

import asyncio

import pytest

from mailadmin.queue.envelopes import Verdict
from tests.delivery.material import agent, body, message, one, run, smarthost, with_limits
from tests.delivery.scripted import DROP, Manners, ScriptedServer, server


async def twice(far: ScriptedServer) -> list[str]:
    """Send two messages with one agent and return the outcomes."""
    sender = agent(smarthost(far.port))
    verdicts: list[Verdict] = [one(await sender.deliver(message(), message().recipients, body())) for _ in range(2)]
    await sender.close()
    return [verdict.outcome for verdict in verdicts]


def test_a_connection_is_kept_for_the_next_message() -> None:
    with server() as far:
        assert run(twice(far)) == ["delivered", "delivered"]
    (talk,) = far.talks
    assert len(talk.bodies) == 2
    assert not talk.said("RSET")


def test_a_kept_connection_begins_anew_with_rset_after_a_refusal() -> None:
    with server(
        Manners(replies={"RCPT": [b"550 5.1.1 nobody\r\n", b"250 ok\r\n"], "DATA": [b"503 no\r\n", b"354 go\r\n"]})
    ) as far:
        assert run(twice(far)) == ["failed", "delivered"]
    assert len(far.talks) == 1
    assert len(far.talks[0].said("RSET")) == 1


@pytest.mark.parametrize("second", [b"421 4.4.2 too long\r\n", DROP])
def test_a_kept_connection_that_went_stale_is_replaced_without_a_word(second: bytes) -> None:
    with server(Manners(replies={"MAIL": [b"250 ok\r\n", second, b"250 ok\r\n"]})) as far:
        assert run(twice(far)) == ["delivered", "delivered"]
    assert len(far.talks) == 2


def test_an_unused_connection_is_left_after_its_time() -> None:
    async def once_and_wait() -> None:
        sender = agent(smarthost(far.port), timeouts=with_limits(idle=0.1))
        await sender.deliver(message(), message().recipients, body())
        for _ in range(100):
            if far.talks[0].said("QUIT"):
                break
            await asyncio.sleep(0.02)
        await sender.close()

    with server() as far:
        run(once_and_wait())
    assert far.talks[0].said("QUIT") == ["QUIT"]


def test_a_connection_carries_a_bounded_number_of_messages() -> None:
    async def many() -> None:
        sender = agent(smarthost(far.port))
        for _ in range(4):
            await sender.deliver(message(), message().recipients, body())
        await sender.close()

    with server(Manners(offers=("LIMITS MAILMAX=3",))) as far:
        run(many())
    assert [len(talk.bodies) for talk in far.talks] == [3, 1]


def test_deliveries_at_once_share_a_bounded_number_of_connections() -> None:
    async def many() -> set[str]:
        sender = agent(smarthost(far.port))
        verdicts = await asyncio.gather(*(sender.deliver(message(), message().recipients, body()) for _ in range(12)))
        await sender.close()
        return {one(verdict).outcome for verdict in verdicts}

    with server() as far:
        assert run(many()) == {"delivered"}
    assert len(far.talks) <= 5
    assert sum(len(talk.bodies) for talk in far.talks) == 12
