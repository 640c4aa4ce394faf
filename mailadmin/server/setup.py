"""The first run, whoever does it: the browser's pages and `manage.py setup` call the same functions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from mailadmin.accounts import services as accounts
from mailadmin.accounts.addresses import AddressError, normal_address, normal_domain
from mailadmin.accounts.models import Account
from mailadmin.routing import services as routing
from mailadmin.routing import targets
from mailadmin.routing.models import Domain, Route
from mailadmin.routing.targets import WayOut
from mailadmin.server import services as server


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the first run made: the administrator, and the generated password when none was given."""

    administrator: Account
    password: str | None = None


def run(
    *,
    now: datetime,
    actor: str,
    hostname: str,
    domain: str,
    administrator: str,
    administrator_password: str | None,
    way_out: WayOut,
) -> Outcome:
    """Do the whole first run, or nothing of it.

    Args:
        now: when.
        actor: who does it.
        hostname: the server's name.
        domain: the first local domain.
        administrator: the address of the administrator, who gets an account.
        administrator_password: their password; None generates one.
        way_out: how mail for elsewhere leaves.

    Raises:
        ValidationError: a value is wrong, or the server is set up already.
    """
    server.initialise(now)
    with transaction.atomic():
        if server.is_set_up():
            message = _(
                "This server is set up already. Change it in the panel, or by the commands account, domain, "
                "listener and route."
            )
            raise ValidationError({"setup": message})
        outcome = make_administrator(actor=actor, now=now, address=administrator, password=administrator_password)
        configure(actor=actor, now=now, hostname=hostname, domain=domain, way_out=way_out)
        server.finish_setup(actor=actor, now=now)
    return outcome


@transaction.atomic
def make_administrator(*, actor: str, now: datetime, address: str, password: str | None, name: str = "") -> Outcome:
    """Make an account an administrator, and add it when there is none of this address.

    Args:
        actor: who makes it.
        now: when.
        address: the login.
        password: the main password; None generates one.
        name: the person's name, for a new account.

    Raises:
        ValidationError: the address is wrong, or the password too weak.
    """
    generated = accounts.generate_password() if password is None else None
    secret = password if password is not None else generated or ""
    try:
        account = Account.objects.filter(address=normal_address(address)).first()
    except AddressError:
        account = None  # add() has the words for it
    if account is None:
        account = accounts.add(actor=actor, now=now, address=address, password=secret, name=name, is_administrator=True)
    else:
        accounts.edit(account, actor=actor, now=now, is_administrator=True)
        accounts.set_password(account, secret, actor=actor, now=now)
    return Outcome(account, generated)


@transaction.atomic
def configure(*, actor: str, now: datetime, hostname: str, domain: str, way_out: WayOut) -> None:
    """Name the server, make `domain` local, and say how mail for elsewhere leaves; doing it again corrects it.

    Raises:
        ValidationError: a value is wrong.
    """
    server.update(actor=actor, now=now, hostname=hostname)
    if not Domain.objects.filter(name=targets.domain_name(domain)).exists():
        routing.add_domain(actor=actor, now=now, name=domain)
    routing.set_route(actor=actor, now=now, pattern="*", via=way_out.via, smarthosts=way_out.smarthosts)


def stands(
    *, hostname: str, domain: str, administrator: str, administrator_password: str | None, way_out: WayOut
) -> bool:
    """Say whether the server is set up exactly so already; the arguments are those of `run`."""
    if not server.is_set_up():
        return False
    try:
        account = Account.objects.filter(address=normal_address(administrator), is_administrator=True).first()
        named = server.get().hostname == normal_domain(hostname)
        local = Domain.objects.filter(name=normal_domain(domain)).exists()
    except AddressError:
        return False
    known = account is not None and (administrator_password is None or account.check_password(administrator_password))
    return named and local and known and _leaves_by(way_out)


def _leaves_by(way_out: WayOut) -> bool:
    """Compare all but passwords, which an administrator may have changed since."""
    route = Route.objects.filter(pattern="*", via=way_out.via).first()
    if route is None:
        return False
    there = [(row.host, row.port, row.tls, row.username, row.ca_pem) for row in route.smarthosts.all()]
    wanted = [targets.smarthost(given) for given in way_out.smarthosts]
    return there == [(given.host, given.port, given.tls, given.username, given.ca_pem) for given in wanted]
