"""The outgoing queue: messages, their recipients' states, and what was tried.

docs/queue.md describes each state and what a crash between two of them leaves. The daemon writes these tables with
plain statements (`mailadmin.queue.services`), so a column's default here is not applied there.
"""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class Message(models.Model):
    """An accepted message. `id` is made by the accepting process (see `envelopes.new_id`) and is its queue id."""

    id = models.BigIntegerField(primary_key=True)
    account = models.ForeignKey(  # the index below serves
        "accounts.Account", null=True, on_delete=models.SET_NULL, related_name="messages", db_index=False
    )
    sender = models.CharField(max_length=320)  # the envelope's; empty is the null sender
    message_id = models.CharField(max_length=255, blank=True)  # the header field, for searches
    size = models.PositiveBigIntegerField()  # octets, as stored
    accepted_at = models.DateTimeField()  # ids ascend with it, see `envelopes.first_id`
    smtputf8 = models.BooleanField()
    eight_bit = models.BooleanField()
    envid = models.CharField(max_length=100, blank=True)  # RFC 3461 §4.4, decoded
    ret = models.CharField(max_length=4, blank=True)  # FULL, HDRS or empty
    # How it came in.
    listener = models.CharField(max_length=40, blank=True)
    client = models.CharField(max_length=64, blank=True)  # address of the client, for the panel only
    helo = models.CharField(max_length=255, blank=True)
    mechanism = models.CharField(max_length=32, blank=True)
    tls = models.CharField(max_length=64, blank=True)  # protocol and cipher
    # True while the body is rows of chunks in the bodies store and not one row of MessageBody.
    chunked = models.BooleanField()
    # Recipients that are not in a final state; at zero the body goes.
    open_recipients = models.PositiveIntegerField()

    class Meta:
        indexes = [
            models.Index(fields=["account", "accepted_at"], name="message_by_account"),
            models.Index(fields=["sender"], name="message_by_sender"),
            models.Index(fields=["message_id"], name="message_by_header_id"),
        ]


class MessageBody(models.Model):
    """The octets of a small message, header block included."""

    message = models.OneToOneField(Message, primary_key=True, on_delete=models.CASCADE, related_name="body")
    data = models.BinaryField()


class State(models.TextChoices):
    """Where a recipient of a message stands."""

    WAITING = "waiting", _("waiting")
    DELIVERING = "delivering", _("being delivered")
    HELD = "held", _("held")
    DELIVERED = "delivered", _("delivered")
    FAILED = "failed", _("failed")
    CANCELLED = "cancelled", _("cancelled")


FINAL_STATES = (State.DELIVERED, State.FAILED, State.CANCELLED)


class Recipient(models.Model):
    """One recipient of a message, and its state."""

    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="recipients")
    address = models.CharField(max_length=320)
    domain = models.CharField(max_length=253)  # normal form, A-labels
    notify = models.CharField(max_length=32, blank=True)  # RFC 3461 §4.1, upper case, comma-separated
    orcpt = models.CharField(max_length=500, blank=True)  # as given, type;xtext
    state = models.CharField(max_length=10, choices=State.choices)
    next_attempt_at = models.DateTimeField()
    lease_until = models.DateTimeField(null=True)
    lease_owner = models.CharField(max_length=300, blank=True)  # node:pid
    attempts = models.PositiveIntegerField()
    # Why it is held: "admin" or "account" (its sender is suspended).
    hold_reason = models.CharField(max_length=10, blank=True)
    delay_notified = models.BooleanField()
    last_reply = models.CharField(max_length=1000, blank=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            # What is due, in order; the domain rides along so that a claim can pass over busy ones without a look-up.
            models.Index(fields=["state", "next_attempt_at", "domain"], name="recipient_due"),
            models.Index(fields=["address"], name="recipient_by_address"),
            models.Index(fields=["domain", "state", "next_attempt_at"], name="recipient_by_domain"),
            models.Index(
                fields=["finished_at", "state"],
                condition=models.Q(finished_at__isnull=False),
                name="recipient_finished",
            ),
        ]


class Attempt(models.Model):
    """One try to deliver to one recipient, with the remote server's words."""

    recipient = models.ForeignKey(Recipient, on_delete=models.CASCADE, related_name="tries")
    at = models.DateTimeField()
    outcome = models.CharField(max_length=9)  # delivered, deferred, failed
    stage = models.CharField(max_length=16)  # resolve, connect, tls, auth, mail, rcpt, data, mailbox
    peer = models.CharField(max_length=255, blank=True)
    tls = models.CharField(max_length=64, blank=True)
    code = models.PositiveIntegerField()  # SMTP reply code; 0: no reply came
    enhanced = models.CharField(max_length=12, blank=True)
    reply = models.CharField(max_length=1000, blank=True)

    class Meta:
        ordering = ["id"]
