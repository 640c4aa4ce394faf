"""A server that is set up, its administrator's browser, and a daemon that says it lives."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final

import pytest
from django.test import Client
from django.utils import timezone

from mailadmin.accounts.models import Account
from mailadmin.generation import services as generation
from tests.panel import people


@pytest.fixture
def administrator() -> Account:
    """The administrator of a server that is set up."""
    return people.set_up()


@pytest.fixture
def panel(administrator: Account) -> Client:
    """A browser in which the administrator is signed in."""
    return people.signed_in(administrator)


@pytest.fixture
def japanese(administrator: Account) -> Client:
    """The same in a browser that speaks Japanese."""
    return people.signed_in(administrator, "ja")


Beat = Callable[..., None]
ROLES: Final = ("supervisor", "worker", "runner")


@pytest.fixture
def daemon_lives() -> Beat:
    """Say that supervisor, worker and runner live; with the problems that the supervisor has."""

    def beat(
        *problems: str, now: datetime | None = None, roles: tuple[str, ...] = ("supervisor", "worker", "runner")
    ) -> None:
        moment = now or timezone.now()
        for pid, role in enumerate(roles, 100):
            generation.beat(
                node="test",
                pid=pid,
                role=role,
                generation=generation.number(),
                started_at=moment,
                problems=list(problems) if role == "supervisor" else [],
                now=moment,
            )

    return beat
