"""Local domains and the ways out: which mail stays here, and where the rest goes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from mailadmin import secretbox
from mailadmin.activity import services as activity
from mailadmin.generation import services as generation
from mailadmin.routing import targets
from mailadmin.routing.models import Domain, Route, Smarthost
from mailadmin.routing.targets import SmarthostInput, WayOut
from mailadmin.routing.trials import answer_test, ask_test, claim_test, test_password

__all__ = [
    "SmarthostInput",
    "WayOut",
    "add_domain",
    "answer_test",
    "ask_test",
    "change_domain",
    "claim_test",
    "find_domain",
    "find_route",
    "remove_domain",
    "remove_route",
    "set_route",
    "test_password",
]


def find_domain(name: str) -> Domain:
    """Return the local domain `name`, in whatever form it is typed.

    Raises:
        ValidationError: it is not local.
    """
    domain = Domain.objects.filter(name=targets.domain_name(name)).first()
    if domain is None:
        raise ValidationError({"name": _("%(name)s is not a local domain.") % {"name": name}})
    return domain


@transaction.atomic
def add_domain(
    *, actor: str, now: datetime, name: str, delivery: str = "maildir", lmtp_target: str = "", node: str = ""
) -> Domain:
    """Add a domain whose mailboxes are here.

    Args:
        actor: who adds it.
        now: when.
        name: the domain, in Unicode or A-labels.
        delivery: "maildir" or "lmtp".
        lmtp_target: HOST:PORT or the path of a unix socket, for LMTP.
        node: the node whose disk holds the Maildirs; empty on a single machine.

    Raises:
        ValidationError: the name is wrong or taken, or the LMTP server is not named.
    """
    domain = Domain(name=targets.domain_name(name), node=node)
    if Domain.objects.select_for_update().filter(name=domain.name).exists():
        raise ValidationError({"name": _("%(name)s is a local domain already.") % {"name": domain.name}})
    _deliver(domain, delivery, lmtp_target)
    domain.save(force_insert=True)
    generation.bump()
    activity.record(actor=actor, verb="domain.add", subject=domain.name, now=now, after=_delivery(domain))
    return domain


@transaction.atomic
def change_domain(
    domain: Domain, *, actor: str, now: datetime, delivery: str, lmtp_target: str = "", node: str = ""
) -> Domain:
    """Change who keeps the mailboxes of a domain; the arguments are those of `add_domain`.

    Raises:
        ValidationError: the LMTP server is not named, or the domain was removed.
    """
    _lock(domain)
    before = _delivery(domain)
    domain.node = node
    _deliver(domain, delivery, lmtp_target)
    after = _delivery(domain)
    if after != before:
        domain.save()
        generation.bump()
        activity.record(actor=actor, verb="domain.change", subject=domain.name, now=now, before=before, after=after)
    return domain


@transaction.atomic
def remove_domain(domain: Domain, *, actor: str, now: datetime) -> None:
    """Make a domain foreign: mail for it follows a route from now on. Its accounts and mailboxes stay."""
    _lock(domain)
    before = _delivery(domain)
    name = domain.name
    domain.delete()
    generation.bump()
    activity.record(actor=actor, verb="domain.remove", subject=name, now=now, before=before)


def _lock(domain: Domain) -> None:
    try:
        domain.refresh_from_db(from_queryset=Domain.objects.select_for_update())
    except Domain.DoesNotExist:
        raise ValidationError({"name": _("This domain was removed meanwhile.")}) from None


def _deliver(domain: Domain, delivery: str, lmtp_target: str) -> None:
    if delivery not in Domain.Delivery.values:
        raise ValidationError({"delivery": _("Mailboxes are kept by “maildir” or by “lmtp”.")})
    domain.delivery = delivery
    domain.lmtp_target = targets.lmtp_target(lmtp_target) if delivery == Domain.Delivery.LMTP else ""


def _delivery(domain: Domain) -> dict[str, object]:
    return {"delivery": domain.delivery, "lmtp_target": domain.lmtp_target, "node": domain.node}


def find_route(pattern: str) -> Route:
    """Return the route for exactly this pattern.

    Raises:
        ValidationError: there is none.
    """
    route = Route.objects.filter(pattern=targets.pattern(pattern)).first()
    if route is None:
        raise ValidationError({"pattern": _("There is no route for %(pattern)s.") % {"pattern": pattern}})
    return route


@transaction.atomic
def set_route(*, actor: str, now: datetime, pattern: str, via: str, smarthosts: Sequence[SmarthostInput] = ()) -> Route:
    """Say where mail for a pattern of domains goes, whether or not it went somewhere before.

    Args:
        actor: who says it.
        now: when.
        pattern: ``*``, ``example.org`` or ``*.example.org``.
        via: "smarthost", "mx" or "none".
        smarthosts: for "smarthost", at least one; tried in this order.

    Raises:
        ValidationError: a value is wrong, or a password would travel without TLS.
    """
    name = targets.pattern(pattern)
    targets.check_way_out(via, smarthosts)
    # Locked first: two who set the same route do so one after the other.
    route = Route.objects.select_for_update().filter(pattern=name).first()
    before = {} if route is None else _way(route)
    old = [] if route is None else list(route.smarthosts.all())
    rows = [_smarthost(wanted, old) for wanted in smarthosts]
    if route is None:
        route = Route(pattern=name)
    route.via = via
    route.save()
    Smarthost.objects.bulk_create(rows)
    route.smarthosts.set(rows)
    Smarthost.objects.filter(pk__in=[row.pk for row in old], route__isnull=True).delete()
    generation.bump()
    activity.record(actor=actor, verb="route.set", subject=name, now=now, before=before, after=_way(route))
    return route


@transaction.atomic
def remove_route(route: Route, *, actor: str, now: datetime) -> None:
    """Remove the route of a pattern; a wider one then holds.

    Raises:
        ValidationError: it is the route of last resort, ``*``.
    """
    if route.pattern == "*":
        raise ValidationError({"pattern": _("The route * holds for all other mail; set it to “none” instead.")})
    before = _way(route)
    smarthosts = [smarthost.pk for smarthost in route.smarthosts.all()]
    route.delete()
    Smarthost.objects.filter(pk__in=smarthosts, route__isnull=True).delete()
    generation.bump()
    activity.record(actor=actor, verb="route.remove", subject=route.pattern, now=now, before=before)


def _smarthost(wanted: SmarthostInput, old: Sequence[Smarthost]) -> Smarthost:
    """Return a row for `wanted`; without a password in it the saved one of the same host, port and user is kept."""
    checked = targets.smarthost(wanted)
    same = (checked.host, checked.port, checked.username)
    saved = next((row for row in old if (row.host, row.port, row.username) == same), None)
    if checked.password is not None:
        sealed = secretbox.seal(checked.password, secretbox.SMARTHOST_PASSWORD)
    else:
        sealed = saved.password_sealed if saved else ""
    row = Smarthost(
        host=checked.host,
        port=checked.port,
        tls=checked.tls,
        username=checked.username,
        password_sealed=sealed,
        ca_pem=checked.ca_pem,
    )
    targets.check_credentials(row.tls, row.username, has_password=bool(sealed))
    return row


def _way(route: Route) -> dict[str, object]:
    """Return a route as the activity shows it; passwords stay out."""
    return {
        "via": route.via,
        "smarthosts": [
            {"host": row.host, "port": row.port, "tls": row.tls, "username": row.username}
            for row in route.smarthosts.all()
        ],
    }
