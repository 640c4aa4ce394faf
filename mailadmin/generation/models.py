"""The number of the policy in force, and who runs by it."""

from __future__ import annotations

from django.db import models


class Generation(models.Model):
    """The one row that every change of policy bumps, in its own transaction."""

    number = models.BigIntegerField(default=1)

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(pk=1), name="generation_is_one_row")]


class Process(models.Model):
    """A process of the daemon: what it is, by which generation it runs, when it last said so."""

    node = models.CharField(max_length=255)
    pid = models.PositiveIntegerField()
    role = models.CharField(max_length=16)  # supervisor, worker, runner
    generation = models.BigIntegerField(default=0)
    started_at = models.DateTimeField()
    heartbeat_at = models.DateTimeField()
    # What this process could not do, in words for the panel: a taken port, a certificate that does not load.
    problems = models.JSONField(default=list)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["node", "pid"], name="process_once_per_node")]
