"""What is wrong and what to do about it: the overview's checks.

A check is a function from `Facts` to findings; each finding has a stable id, the sentence, the evidence, one page that
leads to the cure, and the command that does the same. The order of `CHECKS` is the order of urgency.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from mailadmin.panel.facts import Facts
from mailadmin.panel.problems import in_words, is_of_a_listener

Level = Literal["bad", "wait", "info"]
CERTIFICATE_DAYS: Final = 14  # before its end, a certificate begins to need somebody
# The queue must be able to grow: below this many octets or this share of the disk it is nearly full.
DISK_OCTETS: Final = 1_000_000_000
DISK_SHARE: Final = 0.03


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that needs somebody.

    `level`: bad (mail does not flow), wait (it soon will not, or something waits), info (a next step).
    """

    id: str
    level: Level
    text: str
    evidence: str = ""
    action: str = ""
    url: str = ""
    command: str = "manage.py doctor"


Check = Callable[[Facts], Iterator[Finding]]


def findings(facts: Facts) -> list[Finding]:
    """Return everything that needs somebody, the most urgent first."""
    found = [finding for check in CHECKS for finding in check(facts)]
    urgency = ("bad", "wait", "info")
    return sorted(found, key=lambda finding: urgency.index(finding.level))


def _daemon(facts: Facts) -> Iterator[Finding]:
    roles = {process.role for process in facts.processes}
    if "worker" not in roles:
        yield Finding(
            "daemon.stopped",
            "bad",
            _("The mail server is not running: nobody can send or receive."),
            _("No process of it has reported in the last seconds. Start it with the command below."),
            command="manage.py up",
        )
    elif "runner" not in roles:
        yield Finding(
            "runner.stopped",
            "bad",
            _("Mail is accepted but not delivered: the queue runner is not running."),
            _("The supervisor starts it again by itself; if this stays, look at the server's log."),
            command="manage.py doctor",
        )


def _problems(facts: Facts) -> Iterator[Finding]:
    seen: set[str] = set()
    for process in facts.processes:
        for problem in process.problems:
            text = str(problem)
            if text in seen:
                continue
            seen.add(text)
            sentence = _("The mail server could not do something: %(problem)s")
            if is_of_a_listener(text):
                sentence = _("A listener cannot be opened: %(problem)s")
            yield Finding(
                "process.problem",
                "bad",
                sentence % {"problem": in_words(text)},
                _("Reported by the %(role)s on %(node)s.") % {"role": process.role, "node": process.node},
                _("Check the listeners"),
                reverse("settings:listeners"),
                "manage.py listener list",
            )


def _certificate(facts: Facts) -> Iterator[Finding]:
    action, url, command = _("Renew the certificate"), reverse("settings:certificate"), "manage.py doctor"
    if facts.certificate is None:
        yield Finding(
            "certificate.none",
            "bad",
            _("There is no certificate, so no connection can be protected."),
            "",
            action,
            url,
            command,
        )
        return
    days = certificate_days(facts)
    if days < 0:
        text = _("The certificate has run out: mail programs refuse to connect.")
        yield Finding("certificate.expired", "bad", text, "", action, url, command)
    elif days < CERTIFICATE_DAYS:
        text = ngettext(
            "The certificate is good for only %(days)d more day.",
            "The certificate is good for only %(days)d more days.",
            days,
        ) % {"days": days}
        yield Finding("certificate.expiring", "wait", text, "", action, url, command)


def certificate_days(facts: Facts) -> int:
    """Return for how many more days the certificate in use is good; negative when it is over."""
    return (facts.certificate.not_after - facts.now).days if facts.certificate else -1


def _smarthost(facts: Facts) -> Iterator[Finding]:
    latest: dict[str, tuple[str, str, str]] = {}
    for attempt in facts.tries:
        latest.setdefault(attempt.peer, (attempt.stage, attempt.outcome, attempt.reply))
    for peer, (stage, outcome, reply) in latest.items():
        if stage == "auth" and outcome != "delivered":
            yield Finding(
                "smarthost.auth",
                "bad",
                _("The smarthost %(peer)s refuses our password.") % {"peer": peer},
                reply,
                _("Check user name and password"),
                reverse("settings:delivery"),
                "manage.py route test",
            )


def _queue(facts: Facts) -> Iterator[Finding]:
    if facts.server is not None and facts.server.queue_paused:
        yield Finding(
            "queue.paused",
            "wait",
            _("Delivery is paused: mail is accepted and waits."),
            "",
            _("Go to the queue"),
            reverse("mail:list"),
            "manage.py queue resume",
        )
        return
    number = facts.counts.stuck
    if number:
        text = ngettext(
            "%(number)d mail has waited for more than an hour.",
            "%(number)d mails have waited for more than an hour.",
            number,
        ) % {"number": number}
        evidence = _("The last answer was: %(reply)s") % {"reply": facts.stuck_reply} if facts.stuck_reply else ""
        url = reverse("mail:list") + "?state=waiting"
        yield Finding("queue.stuck", "wait", text, evidence, _("See why"), url, "manage.py queue list")


def _disk(facts: Facts) -> Iterator[Finding]:
    del facts
    try:
        disk = shutil.disk_usage(settings.HOME)
    except OSError as error:
        text = _("The state folder cannot be read: %(error)s") % {"error": os.strerror(error.errno or 0)}
        yield Finding("disk.unreadable", "bad", text, str(settings.HOME))
        return
    if disk.free < DISK_OCTETS or disk.free < disk.total * DISK_SHARE:
        text = _("The disk is nearly full: %(free)d MB are free.") % {"free": disk.free // 1_000_000}
        evidence = _("When it is full, no more mail is accepted. Folder: %(folder)s") % {"folder": settings.HOME}
        yield Finding("disk.full", "bad", text, evidence)


def _accounts(facts: Facts) -> Iterator[Finding]:
    if facts.counts.people == 0:
        yield Finding(
            "account.none",
            "info",
            _("Nobody can send yet. Add the first account."),
            "",
            _("Add an account"),
            reverse("accounts:add"),
            "manage.py account add",
        )


CHECKS: Final[tuple[Check, ...]] = (_daemon, _problems, _smarthost, _certificate, _disk, _queue, _accounts)
