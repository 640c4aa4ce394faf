"""The runner's view of the database: the bell, the recorder's patience, and errors that are ours."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from datetime import timedelta
from typing import Any, TypeVar

import pytest
from asgiref.sync import sync_to_async
from django.db import connection, connections

from mailadmin.activity.models import Entry
from mailadmin.policy.services import build_snapshot
from mailadmin.queue.envelopes import ClaimedMessage, Result, Verdict
from mailadmin.queue.models import State
from smtpd.recorder import PROBLEM, Recorder
from smtpd.runtime import Runtime
from smtpd.storage.bell import Bell, bell
from smtpd.storage.errors import UnavailableError
from smtpd.storage.queue import Queue
from smtpd.store import Store
from tests.queue.mail import LEASE, OWNER, a_verdict, claim, notices, put, states
from tests.runner.running import now

pytestmark = [pytest.mark.django_db(transaction=True, databases="__all__"), pytest.mark.usefixtures("site")]
T = TypeVar("T")


def _in_loop(main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a coroutine; the thread of its blocking calls has a connection of its own, which is closed in the end."""

    async def closing() -> T:
        try:
            return await main()
        finally:
            await sync_to_async(connections.close_all)()

    return asyncio.run(closing())


async def _rings(of: Bell, seconds: float = 2.0) -> bool:
    begun = time.monotonic()
    await of.wait(seconds)
    return time.monotonic() - begun < min(seconds, 0.9)


async def _quiet(of: Bell) -> None:
    """Wait until what happened before has been heard."""
    while await _rings(of, 0.2):
        pass


@pytest.mark.sqlite_only
def test_the_bell_rings_for_mail_that_is_due_and_for_nothing_else() -> None:
    async def scenario() -> None:
        ears = bell()
        await _quiet(ears)
        await sync_to_async(put)(now() + timedelta(hours=1))
        await sync_to_async(Entry.objects.create)(at=now(), actor="test", verb="x", subject="y")
        assert not await _rings(ears, 0.3)
        await sync_to_async(put)(now())
        assert await _rings(ears)
        await ears.close()

    _in_loop(scenario)


@pytest.mark.postgresql_only
def test_the_bell_rings_for_mail() -> None:
    async def scenario() -> None:
        ears = bell()
        await ears.wait(0)
        waiting = asyncio.create_task(_rings(ears))
        await asyncio.sleep(0.1)
        await sync_to_async(put)(now())
        assert await waiting
        await ears.close()

    _in_loop(scenario)


@pytest.mark.sqlite_only
def test_without_its_file_the_bell_says_that_the_database_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connection.settings_dict, "NAME", "/nonexistent/file.sqlite3")
    with pytest.raises(UnavailableError):
        _in_loop(lambda: bell().wait(1))


async def _recorded(
    results: Sequence[Result], during: Callable[[Runtime], Coroutine[Any, Any, None]], first: str = ""
) -> list[Result]:
    """Execute `first`, hand `results` to a recorder, do something `during` that, and return what it says is done."""
    snapshot = await sync_to_async(build_snapshot)()
    store = Store(asyncio.get_running_loop())
    runtime = Runtime(snapshot, store, "one")
    queue = Queue("one", LEASE)
    queue.owner = OWNER
    done: list[Result] = []
    recorder = Recorder(runtime, queue, done.extend)
    if first:
        await sync_to_async(_execute)(first)
    recorder.add(results)
    await during(runtime)
    await recorder.finish(5)
    queue.close()
    await store.close()
    return done


def _results(messages: Sequence[ClaimedMessage], verdict: Verdict) -> list[Result]:
    return [Result(recipient.id, verdict, now()) for message in messages for recipient in message.recipients]


@pytest.mark.sqlite_only
def test_results_are_kept_while_the_database_does_not_take_them(monkeypatch: pytest.MonkeyPatch) -> None:
    number = put(now())
    results = _results(claim(now()), a_verdict("delivered"))
    monkeypatch.setitem(connections.settings["default"]["OPTIONS"], "timeout", 0.05)
    monkeypatch.setitem(connection.settings_dict["OPTIONS"], "timeout", 0.05)

    async def locked(runtime: Runtime) -> None:
        async with asyncio.timeout(5):
            while PROBLEM not in runtime.problems:  # noqa: ASYNC110  # a dictionary tells nobody
                await asyncio.sleep(0.02)
        assert "locked" in runtime.problems[PROBLEM]
        await sync_to_async(_execute)("ROLLBACK")

    done = _in_loop(lambda: _recorded(results, locked, first="BEGIN IMMEDIATE"))
    assert done == results
    assert states(number) == [State.DELIVERED]


def _execute(statement: str) -> None:
    connection.ensure_connection()
    assert connection.connection is not None
    connection.connection.execute(statement)


@pytest.mark.sqlite_only
def test_a_notice_that_cannot_be_stored_keeps_no_result_back() -> None:
    delivered, failed = put(now()), put(now())
    first, second = claim(now())
    results = _results([first], a_verdict("delivered")) + _results([second], a_verdict("failed"))
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TRIGGER no_notices BEFORE INSERT ON queue_message WHEN NEW.sender = ''"
            " BEGIN SELECT RAISE(ABORT, 'not this one'); END"
        )

    async def nothing(runtime: Runtime) -> None:
        del runtime

    try:
        done = _in_loop(lambda: _recorded(results, nothing))
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP TRIGGER no_notices")
    assert done == results
    assert (states(delivered), states(failed)) == ([State.DELIVERED], [State.FAILED])
    assert notices() == []


def test_a_body_is_read_in_pieces_and_a_missing_one_says_so() -> None:
    number = put(now(), chunks=[b"one", b"two"])

    async def read(message: int) -> list[bytes]:
        queue = Queue("one", LEASE)
        try:
            return [piece async for piece in queue.read(message)]
        finally:
            queue.close()

    assert _in_loop(lambda: read(number)) == [b"one", b"two"]
    with pytest.raises(LookupError):
        _in_loop(lambda: read(424_242))
