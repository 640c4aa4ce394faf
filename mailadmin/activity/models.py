"""What people changed, and who signed in."""

from __future__ import annotations

from django.db import models


class Entry(models.Model):
    """One administrative change: who, what, before and after. Written in the change's own transaction."""

    at = models.DateTimeField(db_index=True)
    actor = models.CharField(max_length=254)  # an address, "command line" or "system"
    verb = models.CharField(max_length=40)  # such as account.suspend; the panel has the sentence for each
    subject = models.CharField(max_length=254)  # what was changed, as people name it
    before = models.JSONField(default=dict)
    after = models.JSONField(default=dict)

    class Meta:
        ordering = ["-id"]


class SignIn(models.Model):
    """One attempt to sign in to the mail server or the panel. Written by the daemon in batches."""

    at = models.DateTimeField(db_index=True)
    account = models.ForeignKey("accounts.Account", null=True, on_delete=models.SET_NULL, related_name="sign_ins")
    login = models.CharField(max_length=255)  # as the client gave it
    listener = models.CharField(max_length=40)  # a listener's name, or "panel"
    client = models.CharField(max_length=64)
    mechanism = models.CharField(max_length=32, blank=True)
    tls = models.CharField(max_length=64, blank=True)
    helo = models.CharField(max_length=255, blank=True)
    # ok, or why not: unknown, password, suspended, tls-required, mechanism, malformed, aborted, temporary
    result = models.CharField(max_length=20)

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["account", "at"], name="sign_in_by_account")]
