"""Issue certificates and say which one is in use.

The newest row in use is what every listener and the panel serve. Older ones stay as history, not in use.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction

from mailadmin import secretbox
from mailadmin.activity import services as activity
from mailadmin.certificates import names as own_names
from mailadmin.certificates import x509
from mailadmin.certificates.models import Certificate
from mailadmin.generation import services as generation

SELF_SIGNED: Final = "self-signed"
# A self-signed certificate that ends sooner than this is replaced when panel or daemon start.
RENEWED_BEFORE: Final = timedelta(days=14)


def in_use() -> Certificate | None:
    """Return the certificate that is served, or None before the first one is made."""
    return Certificate.objects.filter(in_use=True).order_by("-id").first()


def open_key(certificate: Certificate) -> str:
    """Return the private key of `certificate` as PEM.

    Raises:
        SealBrokenError: the sealing key is not the one it was sealed with.
    """
    return secretbox.unseal(certificate.key_sealed, secretbox.CERTIFICATE_KEY)


def ensure(names: Sequence[str], now: datetime) -> Certificate:
    """Return the certificate in use; make a self-signed one for `names` when there is none or it is about to end.

    One query when all is well. Others who ask at the same moment may make a second one; the newest is served.
    """
    current = in_use()
    if current is not None and not must_be_renewed(current, now):
        return current
    return issue(names, actor="system", now=now)


def must_be_renewed(certificate: Certificate, now: datetime) -> bool:
    """Say whether it is one of our own and about to end; others are renewed by whoever signed them."""
    return certificate.source == SELF_SIGNED and certificate.not_after - now <= RENEWED_BEFORE


@transaction.atomic
def issue(names: Sequence[str], *, actor: str, now: datetime) -> Certificate:
    """Make a self-signed certificate for `names` and put it in use."""
    pair = x509.self_signed(names, now)
    description = x509.describe(pair.chain_pem)
    before = in_use()
    Certificate.objects.filter(in_use=True).update(in_use=False)
    certificate = Certificate.objects.create(
        source=SELF_SIGNED,
        chain_pem=pair.chain_pem,
        key_sealed=secretbox.seal(pair.key_pem, secretbox.CERTIFICATE_KEY),
        names=list(description.names),
        fingerprint=description.fingerprint,
        not_before=description.not_before,
        not_after=description.not_after,
        created_at=now,
        in_use=True,
    )
    generation.bump()
    activity.record(
        actor=actor,
        verb="certificate.issue",
        subject=names[0],
        now=now,
        before={"fingerprint": before.fingerprint} if before else {},
        after={"fingerprint": certificate.fingerprint, "names": certificate.names},
    )
    return certificate


def rotate(*, actor: str, now: datetime) -> Certificate:
    """Replace the certificate in use by a fresh self-signed one, for the same server and the machine as it is now."""
    current = in_use()
    hostname = current.names[0] if current and current.names else "localhost"
    return issue(own_names.of_machine(hostname), actor=actor, now=now)
