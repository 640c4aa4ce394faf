"""Write and read message bodies.

A large body is written in chunks while DATA arrives, each in a commit of its own that does not wait for the disk;
`seal` then commits one row that does. On SQLite that row goes to the end of the same write-ahead log under the
configured ``synchronous`` level, and syncing the log takes every earlier chunk along (a checkpoint in between syncs the
log before it moves them); on PostgreSQL the flush of the sealing commit covers all earlier records of the log in the
same way. So an upload costs one wait for the disk, and a message's row, committed after `seal`, never names octets that
are not there.

A small body is one row beside its message and is written by `mailadmin.queue.services.enqueue`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from typing import Final

from django.conf import settings
from django.db import connections

from mailadmin.bodies.models import BodyChunk, SealedBody
from mailadmin.durability import lazy
from mailadmin.queue.models import Message, MessageBody
from mailadmin.queue.times import stored

_INSERT: Final = "INSERT INTO bodies_bodychunk (message, sequence, data, written_at) VALUES (%s, %s, %s, %s)"
_SEAL: Final = (
    "INSERT INTO bodies_sealedbody (message, chunks) SELECT %s, COUNT(*) FROM bodies_bodychunk WHERE message = %s"
    " RETURNING chunks"
)


class BodyMissing(LookupError):  # noqa: N818  # the fact, not an accusation
    """The octets of a message are not there: it is done with, or the store of large bodies was lost."""


def _alias() -> str:
    """Return the alias of the database where chunks live."""
    return "bodies" if "bodies" in settings.DATABASES else "default"


def put_chunk(message_id: int, sequence: int, data: bytes, now: datetime) -> None:
    """Write one chunk; it is surely on disk only after `seal`.

    Args:
        message_id: the id the message will have.
        sequence: 0 for the first chunk, then counting.
        data: at most `envelopes.CHUNK` octets.
        now: for the sweep of uploads that broke off.

    Raises:
        IntegrityError: the chunk was written already.
        OperationalError: the disk is full, or the store cannot be reached.
    """
    alias = _alias()
    with lazy(alias), connections[alias].cursor() as cursor:
        cursor.execute(_INSERT, [message_id, sequence, data, stored(now)])


def seal(message_id: int) -> int:
    """Make every chunk of a message durable; call it before the message's row is committed.

    Returns:
        How many chunks there are.

    Raises:
        BodyMissing: not one chunk was written.
    """
    with connections[_alias()].cursor() as cursor:
        cursor.execute(_SEAL, [message_id, message_id])
        (count,) = cursor.fetchone()
    if not count:
        raise BodyMissing(f"message {message_id} has no chunks")
    return int(count)


def read(message_id: int) -> Iterator[bytes]:
    """Yield a body, small or large, from its first octet, one chunk at a time; no transaction stays open.

    Raises:
        BodyMissing: it is not there, or it goes while it is read.
    """
    small = MessageBody.objects.filter(pk=message_id).values_list("data", flat=True).first()
    if small is not None:
        yield bytes(small)
        return
    chunks = SealedBody.objects.filter(pk=message_id).values_list("chunks", flat=True).first()
    if chunks is None:
        raise BodyMissing(f"message {message_id} has no body")
    for sequence in range(chunks):
        data = BodyChunk.objects.filter(message=message_id, sequence=sequence).values_list("data", flat=True).first()
        if data is None:
            raise BodyMissing(f"chunk {sequence} of message {message_id} is gone")
        yield bytes(data)


def read_small(messages: Collection[int]) -> dict[int, bytes]:
    """Return the bodies of `messages` that are small ones, by message, in one query."""
    if not messages:
        return {}
    rows = MessageBody.objects.filter(pk__in=messages).values_list("pk", "data")
    return {message: bytes(data) for message, data in rows}


def drop(*messages: int) -> None:
    """Delete the chunks of large bodies (small ones go in the transaction that ends their message)."""
    BodyChunk.objects.filter(message__in=messages).delete()
    SealedBody.objects.filter(pk__in=messages).delete()


def sweep(before: datetime) -> int:
    """Delete the chunks that no open message needs and that were written earlier than `before`.

    They are what a broken upload leaves, or a crash between the end of a message and `drop`.

    Returns:
        How many messages' chunks were deleted.
    """
    old = set(BodyChunk.objects.filter(sequence=0, written_at__lt=before).values_list("message", flat=True))
    orphans = old - _open(old)
    for message in orphans:
        drop(message)
    return len(orphans)


def _open(messages: Iterable[int]) -> set[int]:
    """Return those of `messages` that still have a recipient in a state that is not final."""
    wanted = list(messages)
    found: set[int] = set()
    for start in range(0, len(wanted), 500):
        batch = wanted[start : start + 500]
        found.update(
            Message.objects.filter(pk__in=batch, open_recipients__gt=0).values_list("pk", flat=True),
        )
    return found
