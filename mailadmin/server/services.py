"""The whole server's settings: made with good defaults at the first start, changed by administrators."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from mailadmin.activity import services as activity
from mailadmin.certificates import names as own_names
from mailadmin.certificates import services as certificates
from mailadmin.generation import services as generation
from mailadmin.generation.models import Generation
from mailadmin.listeners.models import DEFAULT_PORTS, Listener
from mailadmin.routing.models import Route
from mailadmin.sasl.models import MechanismRule
from mailadmin.server import limits
from mailadmin.server.models import Server, SetupToken

GIVE_UP_AFTER: Final = timedelta(days=5)  # RFC 5321 §4.5.4.1: at least 4-5 days
DELAY_NOTICE_AFTER: Final = timedelta(hours=4)
TOKEN_VALID_FOR: Final = timedelta(hours=1)


def get() -> Server:
    """Return the site-wide settings.

    Raises:
        Server.DoesNotExist: `initialise` has not run yet.
    """
    return Server.objects.get(pk=1)


def is_set_up() -> bool:
    """Say whether the first run is done."""
    return Server.objects.filter(pk=1, set_up_at__isnull=False).exists()


def initialise(now: datetime) -> None:
    """Make the rows that everything else stands on, and a certificate; two queries when they are there.

    Several processes may call it at the same moment: whoever inserts the server's row makes the rest in the same
    transaction, and the others wait for it.
    """
    if not Server.objects.filter(pk=1).exists():
        with transaction.atomic():
            _server, created = Server.objects.get_or_create(
                pk=1, defaults={"give_up_after": GIVE_UP_AFTER, "delay_notice_after": DELAY_NOTICE_AFTER}
            )
            if created:
                _make_defaults()
    certificate = certificates.in_use()
    if certificate is None or certificates.must_be_renewed(certificate, now):
        with transaction.atomic():
            server = Server.objects.select_for_update().get(pk=1)  # one process issues, the others find it
            certificates.ensure(own_names.of_machine(server.hostname), now)


def _make_defaults() -> None:
    Generation.objects.get_or_create(pk=1)
    for mechanism in ("PLAIN", "LOGIN"):
        MechanismRule.objects.get_or_create(mechanism=mechanism)
    for role, port in DEFAULT_PORTS.items():
        Listener.objects.get_or_create(name=role.value, defaults={"role": role, "port": port})
    Route.objects.get_or_create(pattern="*", defaults={"via": Route.Via.NONE})
    generation.bump()


@transaction.atomic
def update(*, actor: str, now: datetime, **changes: Any) -> Server:
    """Change some of the settings; a new host name gets a fresh certificate, unless somebody else signed the old one.

    Args:
        actor: who changes them.
        now: when.
        changes: fields of `Server`, as in `limits.CHECKS`.

    Raises:
        ValidationError: a value is out of bounds.
        TypeError: there is no such setting.
    """
    if unknown := set(changes) - set(limits.CHECKS):
        raise TypeError(f"no such setting: {', '.join(sorted(unknown))}")
    server = Server.objects.select_for_update().get(pk=1)
    checks: dict[str, Callable[[Any], Any]] = limits.CHECKS
    wanted = {field: limits.checked(field, checks[field], value) for field, value in changes.items()}
    changed = {field: value for field, value in wanted.items() if getattr(server, field) != value}
    if not changed:
        return server
    before = {field: getattr(server, field) for field in changed}
    for field, value in changed.items():
        setattr(server, field, value)
    if server.delay_notice_after >= server.give_up_after:
        raise ValidationError({"delay_notice_after": _("The notice of a delay must come before mail is given up.")})
    server.save(update_fields=list(changed))
    generation.bump()
    activity.record(
        actor=actor,
        verb="server.update",
        subject=server.hostname,
        now=now,
        before=_plain(before),
        after=_plain(changed),
    )
    if "hostname" in changed:
        _certify(server.hostname, actor=actor, now=now)
    return server


def _certify(hostname: str, *, actor: str, now: datetime) -> None:
    current = certificates.in_use()
    if current is None or current.source == certificates.SELF_SIGNED:
        certificates.issue(own_names.of_machine(hostname), actor=actor, now=now)


def _plain(values: dict[str, Any]) -> dict[str, object]:
    """Return values as JSON has them; a duration is its seconds."""
    return {
        field: int(value.total_seconds()) if isinstance(value, timedelta) else value for field, value in values.items()
    }


@transaction.atomic
def new_setup_token(now: datetime) -> str:
    """Return the secret of a one-time link to the first run, good for an hour; earlier unused ones end."""
    SetupToken.objects.filter(Q(used_at=None) | Q(expires_at__lt=now)).delete()
    token = secrets.token_urlsafe(32)
    SetupToken.objects.create(digest=_digest(token), expires_at=now + TOKEN_VALID_FOR)
    return token


def check_setup_token(token: str, now: datetime) -> bool:
    """Say whether `token` opens the first run: made within the hour, not used, and the server is not set up yet."""
    return (
        SetupToken.objects.filter(digest=_digest(token), used_at=None, expires_at__gt=now).exists() and not is_set_up()
    )


@transaction.atomic
def finish_setup(*, actor: str, now: datetime) -> Server:
    """Mark the first run as done; its link opens nothing any more. Doing it again changes nothing."""
    server = Server.objects.select_for_update().get(pk=1)
    if server.set_up_at is None:
        server.set_up_at = now
        server.save(update_fields=["set_up_at"])
        SetupToken.objects.filter(used_at=None).update(used_at=now)
        generation.bump()
        activity.record(actor=actor, verb="server.setup", subject=server.hostname, now=now)
    return server


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
