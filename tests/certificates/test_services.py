"""Which certificate is in use, and when another takes its place."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.conf import settings
from django.test import override_settings

from mailadmin import secretbox
from mailadmin.activity.models import Entry
from mailadmin.certificates import services
from mailadmin.certificates.context import server_context
from mailadmin.certificates.models import Certificate
from mailadmin.generation import services as generation
from mailadmin.sealing import SealBrokenError

pytestmark = pytest.mark.django_db


def test_the_first_certificate_is_made_and_then_kept(now: datetime) -> None:
    first = services.ensure(["mail.example.org"], now)
    assert services.ensure(["mail.example.org"], now + timedelta(days=300)) == first
    assert Certificate.objects.count() == 1


def test_one_that_is_about_to_end_is_replaced(now: datetime) -> None:
    first = services.ensure(["mail.example.org"], now)
    second = services.ensure(["mail.example.org"], now + timedelta(days=352))
    assert second != first
    assert services.in_use() == second
    assert Certificate.objects.filter(in_use=True).count() == 1


def test_one_that_somebody_else_signed_is_not_replaced_by_ours(now: datetime) -> None:
    first = services.ensure(["mail.example.org"], now)
    Certificate.objects.update(source="upload")
    assert services.ensure(["mail.example.org"], now + timedelta(days=400)) == first


def test_the_key_is_sealed_in_the_database_and_opens_to_a_pair_that_serves(now: datetime) -> None:
    certificate = services.ensure(["mail.example.org"], now)
    assert "PRIVATE" not in certificate.key_sealed
    server_context(certificate.chain_pem, services.open_key(certificate))


def test_a_key_sealed_for_something_else_does_not_open(now: datetime) -> None:
    certificate = services.ensure(["mail.example.org"], now)
    certificate.key_sealed = secretbox.seal("secret", secretbox.SMARTHOST_PASSWORD)
    with pytest.raises(SealBrokenError):
        services.open_key(certificate)


def test_another_sealing_key_opens_nothing(now: datetime, tmp_path_factory: pytest.TempPathFactory) -> None:
    certificate = services.ensure(["mail.example.org"], now)
    with override_settings(HOME=tmp_path_factory.mktemp("elsewhere")), pytest.raises(SealBrokenError):
        services.open_key(certificate)
    assert settings.HOME


def test_rotating_makes_a_new_one_for_the_same_server(now: datetime) -> None:
    first = services.ensure(["mail.example.org"], now)
    number = generation.number()
    second = services.rotate(actor="hanako@example.org", now=now + timedelta(days=1))
    assert services.in_use() == second
    assert second.names[0] == "mail.example.org"
    assert second.fingerprint != first.fingerprint
    assert generation.number() == number + 1
    entry = Entry.objects.latest("id")
    assert (entry.actor, entry.verb, entry.subject) == ("hanako@example.org", "certificate.issue", "mail.example.org")
    assert (entry.before["fingerprint"], entry.after["fingerprint"]) == (first.fingerprint, second.fingerprint)


def test_the_activity_holds_no_key(now: datetime) -> None:
    services.ensure(["mail.example.org"], now)
    assert not any("PRIVATE" in str(entry.after) or "gAAAA" in str(entry.after) for entry in Entry.objects.all())
