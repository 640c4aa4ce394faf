"""What is true of the whole server: its name, its limits, whether it is set up."""

from __future__ import annotations

from django.db import models


class Server(models.Model):
    """The one row of site-wide settings."""

    hostname = models.CharField(max_length=255, default="localhost")
    set_up_at = models.DateTimeField(null=True)
    message_size_limit = models.PositiveBigIntegerField(default=50 * 1000 * 1000)  # octets
    recipient_limit = models.PositiveIntegerField(default=100)  # per message
    queue_paused = models.BooleanField(default=False)
    give_up_after = models.DurationField()  # undelivered mail goes back to its sender
    delay_notice_after = models.DurationField()
    history_days = models.PositiveIntegerField(default=90)
    # Direct delivery to addresses of this machine and of private networks is refused unless this is set.
    allow_private_destinations = models.BooleanField(default=False)
    mx_port = models.PositiveIntegerField(default=25)  # the port direct delivery connects to

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(pk=1), name="server_is_one_row")]


class SetupToken(models.Model):
    """A one-time link to the first run: only its SHA-256 is stored."""

    digest = models.CharField(max_length=64, unique=True)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)
