"""Say which SASL mechanisms are allowed."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from mailadmin.activity import services as activity
from mailadmin.generation import services as generation
from mailadmin.sasl.models import MechanismRule


@transaction.atomic
def allow(mechanism: str, *, actor: str, now: datetime, with_tls: bool, without_tls: bool = False) -> MechanismRule:
    """Set the rule of `mechanism`: a session that begins later does not see what is not allowed."""
    name = mechanism.upper()
    rule, created = MechanismRule.objects.select_for_update().get_or_create(
        mechanism=name, defaults={"with_tls": with_tls, "without_tls": without_tls}
    )
    before = {} if created else {"with_tls": rule.with_tls, "without_tls": rule.without_tls}
    after = {"with_tls": with_tls, "without_tls": without_tls}
    if before == after:
        return rule
    rule.with_tls, rule.without_tls = with_tls, without_tls
    rule.save(update_fields=["with_tls", "without_tls"])
    generation.bump()
    activity.record(actor=actor, verb="mechanism.allow", subject=name, now=now, before=before, after=after)
    return rule
