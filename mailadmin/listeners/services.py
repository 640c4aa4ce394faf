"""Open, change and close listeners; every worker follows within a second."""

from __future__ import annotations

import ipaddress
from datetime import datetime
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.text import slugify
from django.utils.translation import gettext as _

from mailadmin.activity import services as activity
from mailadmin.generation import services as generation
from mailadmin.listeners.models import DEFAULT_PORTS, Listener, Role

CHANGEABLE: Final = (
    "enabled",
    "address",
    "address6",
    "port",
    "max_connections",
    "max_connections_per_address",
)
_MAX_PORT: Final = 65535
_MAX_CONNECTIONS: Final = 100_000


def find(name: str) -> Listener:
    """Return the listener with this name.

    Raises:
        ValidationError: there is none.
    """
    try:
        return Listener.objects.get(name=name)
    except Listener.DoesNotExist:
        raise ValidationError({"name": _("There is no listener “%(name)s”.") % {"name": name}}) from None


@transaction.atomic
def add(
    *,
    actor: str,
    now: datetime,
    name: str,
    role: str,
    enabled: bool = True,
    address: str | None = "0.0.0.0",  # noqa: S104  # a mail server listens to everybody
    address6: str | None = "::",
    port: int | None = None,
    max_connections: int = 2000,
    max_connections_per_address: int = 50,
) -> Listener:
    """Add a listener.

    Args:
        actor: who adds it.
        now: when.
        name: letters, digits and hyphens.
        role: what it speaks, one of `Role`.
        enabled: whether it listens.
        address: its IPv4 address; None for none.
        address6: its IPv6 address; None for none.
        port: its TCP port; None for the role's usual one.
        max_connections: how many clients at once.
        max_connections_per_address: how many of them from one address.

    Raises:
        ValidationError: a value is wrong, the name is taken, or another listener has the port.
    """
    if role not in Role.values:
        roles = ", ".join(Role.values)
        raise ValidationError(
            {"role": _("“%(role)s” is no role; it is one of %(roles)s.") % {"role": role, "roles": roles}}
        )
    if name != slugify(name) or not name:
        raise ValidationError({"name": _("A name has lower-case letters, digits and hyphens only.")})
    listener = Listener(name=name, role=role)
    wanted = {
        "enabled": enabled,
        "address": address,
        "address6": address6,
        "port": DEFAULT_PORTS[Role(role)] if port is None else port,
        "max_connections": max_connections,
        "max_connections_per_address": max_connections_per_address,
    }
    others = list(Listener.objects.select_for_update())
    if any(other.name == name for other in others):
        raise ValidationError({"name": _("There is already a listener “%(name)s”.") % {"name": name}})
    _set(listener, wanted, others)
    listener.save(force_insert=True)
    generation.bump()
    activity.record(actor=actor, verb="listener.add", subject=name, now=now, after={"role": role, **wanted})
    return listener


@transaction.atomic
def change(listener: Listener, *, actor: str, now: datetime, **changes: Any) -> Listener:
    """Change some of `CHANGEABLE`.

    Raises:
        ValidationError: a value is wrong, or another listener has the port.
        TypeError: a field is not changeable.
    """
    if unknown := set(changes) - set(CHANGEABLE):
        raise TypeError(f"not changeable: {', '.join(sorted(unknown))}")
    others = {other.pk: other for other in Listener.objects.select_for_update()}
    current = others.pop(listener.pk, None)
    if current is None:
        raise ValidationError({"name": _("This listener was removed meanwhile.")})
    before = {field: getattr(current, field) for field in CHANGEABLE}
    _set(current, changes, list(others.values()))
    changed = [field for field in CHANGEABLE if getattr(current, field) != before[field]]
    if changed:
        current.save(update_fields=changed)
        generation.bump()
        activity.record(
            actor=actor,
            verb="listener.change",
            subject=current.name,
            now=now,
            before={field: before[field] for field in changed},
            after={field: getattr(current, field) for field in changed},
        )
    return current


@transaction.atomic
def remove(listener: Listener, *, actor: str, now: datetime) -> None:
    """Remove a listener; its open connections live on."""
    before = {"role": listener.role, **{field: getattr(listener, field) for field in CHANGEABLE}}
    listener.delete()
    generation.bump()
    activity.record(actor=actor, verb="listener.remove", subject=listener.name, now=now, before=before)


def _set(listener: Listener, values: dict[str, Any], others: list[Listener]) -> None:
    """Put checked `values` into `listener`."""
    for field, value in values.items():
        match field:
            case "address":
                listener.address = _address(field, value, version=4)
            case "address6":
                listener.address6 = _address(field, value, version=6)
            case "port":
                listener.port = _number(field, value, _MAX_PORT)
            case "enabled":
                listener.enabled = bool(value)
            case _:
                setattr(listener, field, _number(field, value, _MAX_CONNECTIONS))
    if listener.address is None and listener.address6 is None:
        raise ValidationError({"address": _("A listener needs an IPv4 or an IPv6 address. Turn it off instead.")})
    _check_port(listener, others)


def _address(field: str, value: str | None, *, version: int) -> str | None:
    text = (value or "").strip()
    if not text or text.lower() == "none":
        return None
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        raise ValidationError({field: _("“%(address)s” is not an IP address.") % {"address": text}}) from None
    if address.version != version:
        message = _("“%(address)s” is not an IPv%(version)d address.")
        raise ValidationError({field: message % {"address": text, "version": version}})
    if "%" in text:
        raise ValidationError({field: _("An address with a zone (%) cannot be listened on.")})
    return str(address)


def _number(field: str, value: int, high: int) -> int:
    if not 1 <= value <= high:
        raise ValidationError({field: _("It must be between %(low)s and %(high)s.") % {"low": 1, "high": high}})
    return value


def _check_port(listener: Listener, others: list[Listener]) -> None:
    """Refuse a port that another open listener has on the same address; a listener that is off takes none."""
    for other in others:
        if not (listener.enabled and other.enabled and listener.port == other.port):
            continue
        if _overlap(listener.address, other.address) or _overlap(listener.address6, other.address6):
            message = _("Port %(port)d on this address belongs to the listener “%(name)s” already.")
            raise ValidationError({"port": message % {"port": listener.port, "name": other.name}})


def _overlap(one: str | None, other: str | None) -> bool:
    """Say whether two addresses of a family cannot share a port; "all addresses" shares with none."""
    if one is None or other is None:
        return False
    return one == other or ipaddress.ip_address(one).is_unspecified or ipaddress.ip_address(other).is_unspecified
