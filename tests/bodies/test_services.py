"""Large bodies: written while they come, durable when they are sealed, read without haste."""

from __future__ import annotations

import threading
from datetime import datetime

import pytest
from django.conf import settings
from django.db import IntegrityError, connections

from mailadmin.bodies import services
from mailadmin.bodies.models import BodyChunk, SealedBody
from mailadmin.durability import lazy, synchronous
from mailadmin.queue.envelopes import CHUNK

pytestmark = pytest.mark.django_db(transaction=True, databases="__all__")


def _alias() -> str:
    return "bodies" if "bodies" in settings.DATABASES else "default"


def _level(alias: str) -> int:
    with connections[alias].cursor() as cursor:
        cursor.execute("PRAGMA synchronous")
        return int(cursor.fetchone()[0])


def test_a_body_comes_back_in_the_order_of_its_chunks(now: datetime) -> None:
    for sequence in (1, 0, 2):
        services.put_chunk(7, sequence, bytes([sequence]) * 3, now)
    assert services.seal(7) == 3
    assert list(services.read(7)) == [b"\0\0\0", b"\1\1\1", b"\2\2\2"]


def test_a_body_is_read_one_chunk_at_a_time(now: datetime) -> None:
    for sequence in range(3):
        services.put_chunk(7, sequence, b"x" * CHUNK, now)
    services.seal(7)
    octets = services.read(7)
    next(octets)
    BodyChunk.objects.filter(sequence=2).delete()
    next(octets)
    with pytest.raises(services.BodyMissing):
        next(octets)


def test_an_upload_that_was_not_sealed_is_no_body(now: datetime) -> None:
    services.put_chunk(7, 0, b"x", now)
    with pytest.raises(services.BodyMissing):
        list(services.read(7))


def test_nothing_cannot_be_sealed() -> None:
    with pytest.raises(services.BodyMissing):
        services.seal(7)


def test_a_chunk_is_written_once(now: datetime) -> None:
    services.put_chunk(7, 0, b"x", now)
    with pytest.raises(IntegrityError):
        services.put_chunk(7, 0, b"y", now)


def test_a_dropped_body_is_gone_and_no_other(now: datetime) -> None:
    for message in (7, 8):
        services.put_chunk(message, 0, b"x", now)
        services.seal(message)
    services.drop(7)
    with pytest.raises(services.BodyMissing):
        list(services.read(7))
    assert list(services.read(8)) == [b"x"]
    assert SealedBody.objects.count() == 1


def test_a_body_is_read_while_another_is_written(now: datetime) -> None:
    for sequence in range(4):
        services.put_chunk(7, sequence, b"a" * 1000, now)
    services.seal(7)
    octets = services.read(7)
    assert next(octets)
    failed: list[BaseException] = []

    def write() -> None:
        try:
            for sequence in range(4):
                services.put_chunk(8, sequence, b"b" * 1000, now)
            services.seal(8)
        except BaseException as error:  # noqa: BLE001  # shown by the test
            failed.append(error)
        finally:
            connections.close_all()

    writer = threading.Thread(target=write)
    writer.start()
    writer.join()
    assert not failed
    assert len(list(octets)) == 3
    assert len(list(services.read(8))) == 4


@pytest.mark.sqlite_only
@pytest.mark.parametrize(("configured", "of_chunks"), [("FULL", "NORMAL"), ("NORMAL", "NORMAL"), ("OFF", "OFF")])
def test_only_a_lazy_transaction_is_committed_below_the_configured_level(
    configured: str, of_chunks: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    levels = {"OFF": 0, "NORMAL": 1, "FULL": 2}
    alias = _alias()
    options = settings.DATABASES[alias]["OPTIONS"]
    monkeypatch.setitem(options, "init_command", f"PRAGMA x=1;PRAGMA synchronous={configured};PRAGMA y=2")
    assert synchronous(alias) == configured
    with lazy(alias):
        assert _level(alias) == levels[of_chunks]
    assert _level(alias) == levels[configured]


@pytest.mark.postgresql_only
def test_only_a_lazy_transaction_does_not_wait_for_the_disk() -> None:
    def level() -> str:
        with connections["default"].cursor() as cursor:
            cursor.execute("SHOW synchronous_commit")
            return str(cursor.fetchone()[0])

    with lazy():
        assert level() == "off"
    assert level() == "on"
