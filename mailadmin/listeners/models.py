"""Where the daemon listens, and how."""

from __future__ import annotations

from typing import Final

from django.db import models
from django.utils.translation import gettext_lazy as _


class Role(models.TextChoices):
    """What a listener speaks."""

    MX = "mx", _("incoming mail from other servers")
    SUBMISSION = "submission", _("submission with STARTTLS")
    SUBMISSIONS = "submissions", _("submission with TLS from the start")


# Ports that need no root; the ones everybody expects (25, 587, 465) are an administrator's choice.
DEFAULT_PORTS: Final = {Role.MX: 1025, Role.SUBMISSION: 1587, Role.SUBMISSIONS: 1465}


class Listener(models.Model):
    """A role on a port, on one IPv4 and one IPv6 address (empty: not there)."""

    name = models.SlugField(max_length=40, unique=True)
    role = models.CharField(max_length=16, choices=Role.choices)
    enabled = models.BooleanField(default=True)
    address = models.GenericIPAddressField(
        _("IPv4 address"),
        protocol="IPv4",
        null=True,
        blank=True,
        default="0.0.0.0",  # noqa: S104  # a mail server listens to everybody
    )
    address6 = models.GenericIPAddressField(_("IPv6 address"), protocol="IPv6", null=True, blank=True, default="::")
    port = models.PositiveIntegerField(_("port"))
    max_connections = models.PositiveIntegerField(_("connections in all"), default=2000)
    max_connections_per_address = models.PositiveIntegerField(_("connections per address"), default=50)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return self.name
