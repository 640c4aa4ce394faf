"""TLS certificates and their sealed keys."""

from __future__ import annotations

from django.db import models


class Certificate(models.Model):
    """A certificate chain with its private key. The newest one in use is what every listener and the panel serve."""

    source = models.CharField(max_length=16, default="self-signed")
    chain_pem = models.TextField()
    key_sealed = models.TextField()  # purpose "certificate.key"
    names = models.JSONField(default=list)
    fingerprint = models.CharField(max_length=64)  # SHA-256 of the leaf, hexadecimal
    not_before = models.DateTimeField()
    not_after = models.DateTimeField()
    created_at = models.DateTimeField()
    in_use = models.BooleanField(default=True)

    class Meta:
        ordering = ["-id"]
