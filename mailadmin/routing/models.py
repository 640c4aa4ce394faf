"""How mail leaves: local domains, smarthosts, routes, and tests of them that the daemon's runner executes."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class Domain(models.Model):
    """A domain whose mailboxes are here. Mail for any other domain follows a route."""

    class Delivery(models.TextChoices):
        """Who keeps the mailboxes."""

        MAILDIR = "maildir", _("Maildir on this machine")
        LMTP = "lmtp", _("LMTP server")

    name = models.CharField(_("domain"), max_length=253, unique=True)
    delivery = models.CharField(max_length=8, choices=Delivery.choices, default=Delivery.MAILDIR)
    # LMTP: HOST:PORT or the path of a unix socket.
    lmtp_target = models.CharField(max_length=255, blank=True)
    # Maildir: the node whose disk holds the mailboxes; empty on a single machine.
    node = models.CharField(max_length=255, blank=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Smarthost(models.Model):
    """A server that takes our outgoing mail."""

    class Tls(models.TextChoices):
        """How the connection is protected. `none` never carries a password."""

        NONE = "none", _("no TLS")
        STARTTLS = "starttls", _("STARTTLS")
        IMPLICIT = "implicit", _("TLS from the start")

    host = models.CharField(_("server"), max_length=255)
    port = models.PositiveIntegerField(_("port"), default=587)
    tls = models.CharField(max_length=8, choices=Tls.choices, default=Tls.STARTTLS)
    username = models.CharField(_("user name"), max_length=255, blank=True)
    password_sealed = models.TextField(blank=True)  # purpose "smarthost.password"
    ca_pem = models.TextField(blank=True)  # trusted beside the system's authorities

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


class Route(models.Model):
    """Where mail for a pattern of recipients' domains goes: ``*``, ``example.org`` or ``*.example.org``."""

    class Via(models.TextChoices):
        """The way out. `none`: mail for elsewhere is refused at RCPT."""

        SMARTHOST = "smarthost", _("through a smarthost")
        MX = "mx", _("directly to the recipient's server")
        NONE = "none", _("nowhere: local mail only")

    pattern = models.CharField(max_length=253, unique=True)
    via = models.CharField(max_length=9, choices=Via.choices)
    # Tried in the order of their ids.
    smarthosts = models.ManyToManyField(Smarthost, blank=True)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return self.pattern


class RouteTest(models.Model):
    """A test of a way out, asked for in the panel and executed by the runner: it shows what that process saw."""

    asked_at = models.DateTimeField()
    # The candidate (not necessarily a saved smarthost): host, port, tls, username, ca_pem; or via "mx" and a domain.
    target = models.JSONField()
    password_sealed = models.TextField(blank=True)  # purpose "smarthost.password"
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    ok = models.BooleanField(null=True)
    # [{"step": "connect" | "banner" | "ehlo" | "starttls" | "certificate" | "auth" | "mail", "ok": bool, "text": str}]
    steps = models.JSONField(default=list)
