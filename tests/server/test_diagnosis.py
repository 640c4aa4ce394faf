"""What the doctor finds in a running installation."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from django.test import override_settings

from mailadmin.certificates.models import Certificate
from mailadmin.generation import services as generation
from mailadmin.listeners import services as listeners
from mailadmin.listeners.models import Listener
from mailadmin.queue import services as queue
from mailadmin.queue.envelopes import NewMessage, NewRecipient
from mailadmin.routing import services as routing
from mailadmin.routing.targets import SmarthostInput, WayOut
from mailadmin.server import services as server
from mailadmin.server import setup
from mailadmin.server.diagnosis import OVERDUE, diagnose
from mailadmin.server.models import Server
from tests.cast import ADMINISTRATOR

pytestmark = pytest.mark.django_db(databases="__all__")
# The suite runs without syncs, on files that Django's test runner made, and perhaps as root: all of that is told.
USUAL = {"mailadmin.E001", "mailadmin.W001", "mailadmin.W002"}


@pytest.fixture(autouse=True)
def _installation(now: datetime) -> None:
    setup.run(
        now=now,
        actor="test",
        hostname="mail.example.org",
        domain="example.org",
        administrator=ADMINISTRATOR.address,
        administrator_password=ADMINISTRATOR.password,
        way_out=WayOut("none"),
    )
    for name in ("mx", "submission", "submissions"):
        listeners.change(listeners.find(name), actor="test", now=now, enabled=False)


@pytest.fixture
def _daemon(now: datetime) -> None:
    node = os.environ.get("MAILADMIN_NODE") or socket.gethostname()
    for pid, role in enumerate(("supervisor", "worker", "runner"), start=2):
        generation.beat(
            node=node, pid=pid, role=role, generation=generation.number(), started_at=now, problems=[], now=now
        )


@pytest.fixture
def listening() -> Iterator[int]:
    """A port of loopback that answers."""
    with socket.create_server(("127.0.0.1", 0)) as server_socket:
        yield server_socket.getsockname()[1]


def _found(now: datetime) -> set[str]:
    return {finding.id for finding in diagnose(now).findings} - USUAL


@pytest.mark.usefixtures("_daemon")
def test_a_sound_installation_has_nothing_to_tell(now: datetime) -> None:
    assert _found(now) == set()


def test_a_stopped_daemon_is_a_problem(now: datetime) -> None:
    assert _found(now) == {"daemon.stopped"}


@pytest.mark.usefixtures("_daemon")
def test_a_listener_that_answers_is_fine_and_one_that_does_not_is_told(now: datetime, listening: int) -> None:
    Listener.objects.filter(name="mx").update(enabled=True, port=listening, address="0.0.0.0", address6=None)  # noqa: S104  # a row
    assert _found(now) == set()
    with socket.create_server(("127.0.0.1", 0)) as other:
        closed = other.getsockname()[1]
    Listener.objects.filter(name="mx").update(port=closed)
    assert _found(now) == {"listener.silent"}


@pytest.mark.usefixtures("_daemon")
def test_another_sealing_key_breaks_certificate_and_passwords(
    now: datetime, tmp_path_factory: pytest.TempPathFactory
) -> None:
    relay = SmarthostInput("relay.example.net", 587, "starttls", "u", "pass")
    routing.set_route(actor="test", now=now, pattern="*", via="smarthost", smarthosts=[relay])
    assert _found(now) == set()
    with override_settings(HOME=tmp_path_factory.mktemp("elsewhere")):
        assert _found(now) == {"certificate.broken", "smarthost.sealed"}


@pytest.mark.usefixtures("_daemon")
def test_a_certificate_for_another_name_is_told(now: datetime) -> None:
    Certificate.objects.update(source="upload")
    server.update(actor="test", now=now, hostname="other.example.net")
    assert _found(now) == {"certificate.name"}


@pytest.mark.usefixtures("_daemon")
def test_a_queue_that_does_not_move_is_told_unless_it_is_paused(now: datetime) -> None:
    message = NewMessage(1, "", [NewRecipient("a@example.net", "example.net")], 1, now - 2 * OVERDUE, body=b"x")
    queue.enqueue([message], now=now - 2 * OVERDUE)
    assert _found(now) == {"queue.overdue"}
    queue.pause(actor="test", now=now)
    assert "queue.overdue" not in _found(now)


@pytest.mark.usefixtures("_daemon")
def test_mail_that_was_just_accepted_is_not_overdue(now: datetime) -> None:
    message = NewMessage(1, "", [NewRecipient("a@example.net", "example.net")], 1, now, body=b"x")
    queue.enqueue([message], now=now)
    assert _found(now + timedelta(seconds=5)) == set()


@pytest.mark.usefixtures("_daemon")
def test_mail_cannot_flow_is_only_said_of_problems(now: datetime) -> None:
    Certificate.objects.update(source="upload", not_after=now + timedelta(days=3))
    findings = [finding for finding in diagnose(now).findings if finding.id not in USUAL]
    assert [(finding.id, finding.level) for finding in findings] == [("certificate.expiring", "wait")]


def test_before_the_first_run_that_is_all_there_is_to_tell(now: datetime) -> None:
    Server.objects.update(set_up_at=None)
    diagnosis = diagnose(now)
    assert {finding.id for finding in diagnosis.findings} - USUAL == {"server.new"}
    assert not diagnosis.is_well
