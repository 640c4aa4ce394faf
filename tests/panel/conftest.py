"""A server that is set up, and its administrator's browser."""

from __future__ import annotations

import pytest
from django.test import Client

from mailadmin.accounts.models import Account
from mailadmin.panel import sign_in
from mailadmin.panel.throttle import Throttle
from tests.panel import people


@pytest.fixture
def administrator() -> Account:
    """The administrator of a server that is set up."""
    return people.set_up()


@pytest.fixture
def panel(administrator: Account) -> Client:
    """A browser in which the administrator is signed in."""
    return people.signed_in(administrator)


@pytest.fixture(autouse=True)
def _nobody_failed_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sign_in, "throttle", Throttle())
