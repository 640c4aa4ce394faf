"""Which SASL mechanisms are allowed."""

from __future__ import annotations

from django.db import models


class MechanismRule(models.Model):
    """Whether a mechanism may be used, with TLS and without. No row: not allowed."""

    mechanism = models.CharField(max_length=32, unique=True)
    with_tls = models.BooleanField(default=True)
    without_tls = models.BooleanField(default=False)

    class Meta:
        ordering = ["mechanism"]

    def __str__(self) -> str:
        return self.mechanism
