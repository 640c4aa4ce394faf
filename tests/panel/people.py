"""People at the panel: accounts of the cast, and browsers in which they are signed in."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from django.test import Client

from mailadmin.accounts import services
from mailadmin.accounts.models import Account
from mailadmin.routing.targets import WayOut
from mailadmin.server import setup
from tests.cast import ADMINISTRATOR, DOMAIN, Person

BEGIN: Final = datetime(2027, 3, 1, 9, 0, tzinfo=UTC)


def set_up() -> Account:
    """Do the first run, local mail only; return the administrator."""
    setup.run(
        now=BEGIN,
        actor="command line",
        hostname=f"mail.{DOMAIN}",
        domain=DOMAIN,
        administrator=ADMINISTRATOR.address,
        administrator_password=ADMINISTRATOR.password,
        way_out=WayOut("none"),
    )
    return Account.objects.get(address=ADMINISTRATOR.address)


def add(person: Person) -> Account:
    """Add the account of `person`."""
    account = services.add(
        actor="test",
        now=BEGIN,
        address=person.address,
        password=person.password,
        name=person.name,
        is_administrator=person.is_administrator,
    )
    return services.suspend(account, actor="test", now=BEGIN) if person.suspended else account


def signed_in(account: Account, language: str = "en") -> Client:
    """Return a browser in which `account` is signed in."""
    client = Client(headers={"accept-language": language})
    client.force_login(account)
    return client
