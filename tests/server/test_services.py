"""The rows that everything stands on, the site-wide settings, and the link to the first run."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import connections

from mailadmin.activity.models import Entry
from mailadmin.certificates import services as certificates
from mailadmin.certificates.models import Certificate
from mailadmin.generation import services as generation
from mailadmin.listeners import services as listeners
from mailadmin.listeners.models import Listener
from mailadmin.routing.models import Route
from mailadmin.sasl.models import MechanismRule
from mailadmin.server import services
from mailadmin.server.models import Server, SetupToken


@pytest.mark.django_db
def test_a_fresh_database_gets_its_defaults(now: datetime) -> None:
    services.initialise(now)
    server = services.get()
    assert (server.hostname, server.set_up_at) == ("localhost", None)
    assert (server.give_up_after, server.delay_notice_after) == (timedelta(days=5), timedelta(hours=4))
    assert dict(Listener.objects.values_list("name", "port")) == {"mx": 1025, "submission": 1587, "submissions": 1465}
    assert set(MechanismRule.objects.values_list("mechanism", "with_tls", "without_tls")) == {
        ("PLAIN", True, False),
        ("LOGIN", True, False),
    }
    assert list(Route.objects.values_list("pattern", "via")) == [("*", "none")]
    certificate = certificates.in_use()
    assert certificate is not None
    assert {"localhost", "127.0.0.1", "::1"} <= set(certificate.names)


@pytest.mark.django_db
def test_later_calls_are_two_queries_and_change_nothing(
    now: datetime, django_assert_num_queries: pytest.FixtureRequest
) -> None:
    services.initialise(now)
    number = generation.number()
    with django_assert_num_queries(2):  # type: ignore[operator]  # pytest-django's fixture has no public type
        services.initialise(now)
    assert generation.number() == number


@pytest.mark.django_db
def test_a_listener_that_was_removed_does_not_come_back(now: datetime) -> None:
    services.initialise(now)
    listeners.remove(listeners.find("mx"), actor="test", now=now)
    services.initialise(now)
    assert not Listener.objects.filter(name="mx").exists()


@pytest.mark.django_db
def test_a_certificate_about_to_end_is_renewed_at_the_next_start(now: datetime) -> None:
    services.initialise(now)
    before = certificates.in_use()
    services.initialise(now + timedelta(days=360))
    assert certificates.in_use() != before


@pytest.mark.django_db(transaction=True)
def test_two_that_start_at_the_same_moment_make_everything_once(now: datetime) -> None:
    barrier = threading.Barrier(4)
    failures: list[BaseException] = []

    def start() -> None:
        try:
            barrier.wait(10)
            services.initialise(now)
        except BaseException as error:  # noqa: BLE001  # a thread has nobody else to tell
            failures.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    assert (Server.objects.count(), Listener.objects.count(), Route.objects.count()) == (1, 3, 1)
    assert Certificate.objects.count() == 1
    assert generation.number() >= 1


@pytest.fixture
def _initialised(now: datetime, db: None) -> None:  # noqa: ARG001  # the database itself
    services.initialise(now)


@pytest.mark.usefixtures("_initialised")
def test_a_new_name_gets_a_certificate_of_its_own(now: datetime) -> None:
    before = certificates.in_use()
    services.update(actor="hanako@example.org", now=now, hostname="Mail.Example.ORG.")
    certificate = certificates.in_use()
    assert certificate is not None
    assert certificate != before
    assert certificate.names[0] == services.get().hostname == "mail.example.org"


@pytest.mark.usefixtures("_initialised")
def test_a_certificate_that_somebody_else_signed_survives_a_new_name(now: datetime) -> None:
    Certificate.objects.update(source="upload")
    before = certificates.in_use()
    services.update(actor="test", now=now, hostname="mail.example.org")
    assert certificates.in_use() == before


@pytest.mark.usefixtures("_initialised")
def test_a_change_of_another_setting_keeps_the_certificate(now: datetime) -> None:
    before = certificates.in_use()
    services.update(actor="test", now=now, recipient_limit=500, hostname="localhost")
    assert certificates.in_use() == before


@pytest.mark.usefixtures("_initialised")
def test_a_change_is_announced_and_told_with_durations_in_seconds(now: datetime) -> None:
    number = generation.number()
    services.update(actor="hanako@example.org", now=now, give_up_after=timedelta(days=2), recipient_limit=100)
    assert generation.number() == number + 1
    entry = Entry.objects.latest("id")
    assert (entry.verb, entry.before, entry.after) == (
        "server.update",
        {"give_up_after": 432_000},
        {"give_up_after": 172_800},
    )


@pytest.mark.usefixtures("_initialised")
def test_the_same_settings_again_are_not_announced(now: datetime) -> None:
    number = generation.number()
    services.update(actor="test", now=now, recipient_limit=100, history_days=90)
    assert generation.number() == number


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"hostname": ""}, "hostname"),
        ({"hostname": "not a name"}, "hostname"),
        ({"hostname": "mail_.-"}, "hostname"),
        ({"message_size_limit": 1000}, "message_size_limit"),
        ({"message_size_limit": 10**13}, "message_size_limit"),
        ({"recipient_limit": 0}, "recipient_limit"),
        ({"give_up_after": timedelta(0)}, "give_up_after"),
        ({"give_up_after": timedelta(days=400)}, "give_up_after"),
        ({"delay_notice_after": timedelta(days=6)}, "delay_notice_after"),
        ({"give_up_after": timedelta(hours=4)}, "delay_notice_after"),
        ({"history_days": 0}, "history_days"),
        ({"mx_port": 0}, "mx_port"),
        ({"mx_port": 65536}, "mx_port"),
    ],
)
@pytest.mark.usefixtures("_initialised")
def test_a_setting_out_of_bounds_is_refused_under_its_field(now: datetime, changes: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError) as refused:
        services.update(actor="test", now=now, **changes)
    assert field in refused.value.message_dict
    assert services.get().hostname == "localhost"


@pytest.mark.usefixtures("_initialised")
def test_what_is_no_setting_is_a_fault_of_the_caller(now: datetime) -> None:
    with pytest.raises(TypeError):
        services.update(actor="test", now=now, set_up_at=now)


@pytest.mark.usefixtures("_initialised")
def test_a_link_opens_the_first_run_for_an_hour(now: datetime) -> None:
    token = services.new_setup_token(now)
    assert services.check_setup_token(token, now)
    assert services.check_setup_token(token, now + timedelta(minutes=59))
    assert not services.check_setup_token(token, now + timedelta(minutes=61))
    assert not services.check_setup_token(token + "x", now)
    assert not services.check_setup_token("", now)
    assert not services.check_setup_token("\udc80", now)


@pytest.mark.usefixtures("_initialised")
def test_only_a_digest_of_the_link_is_stored(now: datetime) -> None:
    token = services.new_setup_token(now)
    assert token not in str(list(SetupToken.objects.values()))


@pytest.mark.usefixtures("_initialised")
def test_a_newer_link_ends_the_older_one(now: datetime) -> None:
    first, second = services.new_setup_token(now), services.new_setup_token(now)
    assert not services.check_setup_token(first, now)
    assert services.check_setup_token(second, now)


@pytest.mark.usefixtures("_initialised")
def test_the_end_of_the_first_run_ends_every_link(now: datetime) -> None:
    token = services.new_setup_token(now)
    services.finish_setup(actor="test", now=now)
    assert services.is_set_up()
    assert not services.check_setup_token(token, now)
    assert not services.check_setup_token(services.new_setup_token(now), now)
    services.finish_setup(actor="test", now=now + timedelta(days=1))
    assert services.get().set_up_at == now
    assert Entry.objects.filter(verb="server.setup").count() == 1
