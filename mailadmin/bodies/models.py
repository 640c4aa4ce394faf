"""The chunks of large message bodies, in a store of their own (see `mailadmin.database`)."""

from __future__ import annotations

from django.db import models


class BodyChunk(models.Model):
    """A run of octets of one message. Rows without a message are orphans of a broken upload and are swept."""

    message = models.BigIntegerField()  # Message.id; no foreign key, since the store may be another file
    sequence = models.PositiveIntegerField()
    data = models.BinaryField()
    written_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["message", "sequence"], name="chunk_once")]


class SealedBody(models.Model):
    """Says that all chunks of a message are on disk: the commit of this row is the one that waits for it."""

    message = models.BigIntegerField(primary_key=True)  # Message.id
    chunks = models.PositiveIntegerField()
