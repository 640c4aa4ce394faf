"""Which mechanisms are allowed."""

from __future__ import annotations

from datetime import datetime

import pytest

from mailadmin.activity.models import Entry
from mailadmin.generation import services as generation
from mailadmin.sasl import services
from mailadmin.sasl.models import MechanismRule

pytestmark = pytest.mark.django_db


def test_a_rule_is_made_changed_and_announced(now: datetime) -> None:
    number = generation.number()
    services.allow("plain", actor="test", now=now, with_tls=True)
    services.allow("PLAIN", actor="test", now=now, with_tls=False)
    rule = MechanismRule.objects.get()
    assert (rule.mechanism, rule.with_tls, rule.without_tls) == ("PLAIN", False, False)
    assert generation.number() == number + 2
    assert Entry.objects.latest("id").before == {"with_tls": True, "without_tls": False}


def test_the_same_rule_again_is_not_announced(now: datetime) -> None:
    services.allow("LOGIN", actor="test", now=now, with_tls=True)
    number = generation.number()
    services.allow("LOGIN", actor="test", now=now, with_tls=True)
    assert generation.number() == number
    assert Entry.objects.count() == 1
