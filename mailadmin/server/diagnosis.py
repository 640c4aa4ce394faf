"""What `manage.py doctor` looks at beside the overview's checks: the ground under the rows, and the open ports.

The order is that of a cure: without the state folder there is no database, without tables no rows, and what the rows
say is told by `mailadmin.panel.health`, in the same words as on the overview.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.core import checks as django_checks
from django.db import Error
from django.utils.translation import gettext as _

from mailadmin import checks
from mailadmin.certificates import context, x509
from mailadmin.certificates import services as certificates
from mailadmin.generation.models import Process
from mailadmin.generation.services import SILENCE
from mailadmin.listeners.models import Listener
from mailadmin.panel import facts, health, overview
from mailadmin.panel.health import Finding
from mailadmin.queue.models import Recipient, State
from mailadmin.routing.models import Smarthost
from mailadmin.sealing import SealBrokenError
from mailadmin.secretbox import SMARTHOST_PASSWORD, unseal
from mailadmin.server import faults, install
from mailadmin.server.models import Server

# A runner takes what is due within a second; a recipient that is due for this long says that none does.
OVERDUE: Final = timedelta(minutes=10)
_PORT_TIMEOUT: Final = 2.0  # seconds
_SET_UP: Final = "manage.py setup"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """All findings, and the state in one sentence."""

    findings: tuple[Finding, ...]
    sentence: str

    @property
    def is_well(self) -> bool:
        """Whether nothing keeps mail from flowing."""
        return all(finding.level != "bad" for finding in self.findings)


def diagnose(now: datetime) -> Diagnosis:
    """Look at everything; never raises for what is wrong with the installation."""
    found = [*_static()]
    ground = [*_databases()]
    if not ground:
        try:
            known = facts.read(now)
            live = [*health.findings(known), *_rows(now)]
            sentence = overview.sentence(known, [*found, *live])
            return Diagnosis((*found, *live), sentence)
        except Error as error:
            ground = [Finding("database.unusable", "bad", faults.explain(error), faults.place(), command=_SET_UP)]
    found += ground
    return Diagnosis(tuple(found), _("Mail cannot flow before the first of these is put right."))


def _static() -> Iterator[Finding]:
    """Run the system checks that are ours."""
    for message in django_checks.run_checks(tags=[checks.TAG]):
        level: health.Level = "bad" if message.is_serious() else "wait"
        yield Finding(message.id or "", level, str(message.msg), str(message.hint or ""), command="manage.py check")


def _databases() -> Iterator[Finding]:
    for alias in settings.DATABASES:
        try:
            current = install.is_current(alias)
        except Error as error:
            yield Finding("database.unreachable", "bad", faults.explain(error), faults.place(alias), command="")
            return
        if not current:
            text = _("The database has no tables yet, or older ones.")
            yield Finding("database.tables", "bad", text, faults.place(alias), command=_SET_UP)
            return
    if not Server.objects.filter(pk=1, set_up_at__isnull=False).exists():
        text = _("This server is not set up yet.")
        yield Finding("server.new", "bad", text, _("“make run” prints a link to the first run."), command=_SET_UP)


def _rows(now: datetime) -> Iterator[Finding]:
    yield from _certificate()
    yield from _secrets()
    yield from _overdue(now)
    yield from _ports(now)


def _certificate() -> Iterator[Finding]:
    """See that the pair in use loads, and is for the server's name."""
    certificate = certificates.in_use()
    if certificate is None:
        return  # the overview's checks say so
    try:
        context.server_context(certificate.chain_pem, certificates.open_key(certificate))
        names = x509.describe(certificate.chain_pem).names
    except (SealBrokenError, OSError, ValueError) as error:  # ssl.SSLError is an OSError
        text = _("The certificate in use cannot be served: %(reason)s.") % {"reason": error}
        yield Finding("certificate.broken", "bad", text, _("Put back the sealing.key that its key was sealed with."))
        return
    hostname = Server.objects.get(pk=1).hostname
    if not x509.covers(names, hostname):
        text = _("The certificate is not for the server's name %(hostname)s.") % {"hostname": hostname}
        yield Finding("certificate.name", "wait", text, ", ".join(names))


def _secrets() -> Iterator[Finding]:
    for smarthost in Smarthost.objects.exclude(password_sealed=""):
        try:
            unseal(smarthost.password_sealed, SMARTHOST_PASSWORD)
        except SealBrokenError as error:
            text = _("The password for the smarthost %(smarthost)s cannot be opened.") % {"smarthost": smarthost}
            yield Finding("smarthost.sealed", "bad", text, str(error), command="manage.py route set")


def _overdue(now: datetime) -> Iterator[Finding]:
    if Server.objects.filter(queue_paused=True).exists():
        return
    due = Recipient.objects.filter(state=State.WAITING, next_attempt_at__lt=now - OVERDUE).count()
    lost = Recipient.objects.filter(state=State.DELIVERING, lease_until__lt=now - OVERDUE).count()
    if due or lost:
        text = _("The queue does not move: %(number)d recipients should have been tried long ago.")
        yield Finding("queue.overdue", "bad", text % {"number": due + lost}, command="manage.py queue list")


def _ports(now: datetime) -> Iterator[Finding]:
    """Knock at every listener, when a worker of this machine says that it lives."""
    node = os.environ.get("MAILADMIN_NODE") or socket.gethostname()
    if not Process.objects.filter(role="worker", node=node, heartbeat_at__gte=now - SILENCE).exists():
        return
    for listener in Listener.objects.filter(enabled=True):
        for address in filter(None, (listener.address, listener.address6)):
            if reason := _unanswered(address, listener.port):
                text = _("Nothing answers at %(address)s port %(port)d (%(name)s).")
                values = {"address": address, "port": listener.port, "name": listener.name}
                yield Finding("listener.silent", "bad", text % values, reason, command="manage.py listener list")


def _unanswered(address: str, port: int) -> str:
    """Return why a TCP connection does not come about, or nothing when it does."""
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address, address)  # noqa: S104  # compared, not bound
    try:
        socket.create_connection((reachable, port), timeout=_PORT_TIMEOUT).close()
    except OSError as error:
        return error.strerror or str(error)
    return ""
