"""An activity entry in words: one sentence for each verb, and the names of the values that changed.

A verb without a sentence here fails a test; an old row with a verb that nothing writes any more still reads.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from mailadmin.activity.models import Entry
from mailadmin.panel.templatetags.foreign import foreign

SENTENCES: Final[dict[str, str | Promise]] = {
    "account.add": gettext_lazy("{actor} added the account {subject}"),
    "account.edit": gettext_lazy("{actor} changed the account {subject}"),
    "account.suspend": gettext_lazy("{actor} suspended the account {subject}"),
    "account.resume": gettext_lazy("{actor} resumed the account {subject}"),
    "account.password": gettext_lazy("{actor} set a new password for {subject}"),
    "account.senders": gettext_lazy("{actor} changed what {subject} may send as"),
    "account.remove": gettext_lazy("{actor} removed the account {subject}"),
    "queue.hold": gettext_lazy("{actor} held the mail {subject}"),
    "queue.release": gettext_lazy("{actor} released the mail {subject}"),
    "queue.retry": gettext_lazy("{actor} asked for another try of the mail {subject}"),
    "queue.cancel": gettext_lazy("{actor} cancelled the mail {subject}"),
    "queue.give_back": gettext_lazy("{actor} returned the mail {subject} to its sender"),
    "queue.pause": gettext_lazy("{actor} paused all delivery"),
    "queue.resume": gettext_lazy("{actor} let delivery go on"),
    "server.setup": gettext_lazy("{actor} finished the first run of {subject}"),
    "server.update": gettext_lazy("{actor} changed the server’s settings"),
    "listener.add": gettext_lazy("{actor} added the listener {subject}"),
    "listener.change": gettext_lazy("{actor} changed the listener {subject}"),
    "listener.remove": gettext_lazy("{actor} removed the listener {subject}"),
    "domain.add": gettext_lazy("{actor} added the local domain {subject}"),
    "domain.change": gettext_lazy("{actor} changed the local domain {subject}"),
    "domain.remove": gettext_lazy("{actor} removed the local domain {subject}"),
    "route.set": gettext_lazy("{actor} set the way out for {subject}"),
    "route.remove": gettext_lazy("{actor} removed the route for {subject}"),
    "mechanism.allow": gettext_lazy("{actor} changed the rule of the sign-in method {subject}"),
    "certificate.issue": gettext_lazy("{actor} put a new certificate in use for {subject}"),
}
_OTHER: Final = gettext_lazy("{actor}: {verb} {subject}")
ACTORS: Final[dict[str, str | Promise]] = {
    "command line": gettext_lazy("The command line"),
    "system": gettext_lazy("The system"),
    "first run": gettext_lazy("The first run"),
}
FIELDS: Final[dict[str, str | Promise]] = {
    "name": gettext_lazy("Name"),
    "note": gettext_lazy("Note"),
    "quota": gettext_lazy("Mailbox limit in bytes"),
    "language": gettext_lazy("Language"),
    "is_administrator": gettext_lazy("Administrator"),
    "senders": gettext_lazy("May send as"),
    "cancelled": gettext_lazy("Recipients cancelled"),
    "recipients": gettext_lazy("Recipients"),
    "hostname": gettext_lazy("Server name"),
    "message_size_limit": gettext_lazy("Largest message in bytes"),
    "recipient_limit": gettext_lazy("Recipients of a message"),
    "queue_paused": gettext_lazy("Delivery paused"),
    "give_up_after": gettext_lazy("Given up after (seconds)"),
    "delay_notice_after": gettext_lazy("Notice of a delay after (seconds)"),
    "history_days": gettext_lazy("Days of history"),
    "allow_private_destinations": gettext_lazy("Deliver to private networks"),
    "mx_port": gettext_lazy("Port of other servers"),
    "role": gettext_lazy("Role"),
    "enabled": gettext_lazy("On"),
    "address": gettext_lazy("IPv4 address"),
    "address6": gettext_lazy("IPv6 address"),
    "port": gettext_lazy("Port"),
    "max_connections": gettext_lazy("Connections in all"),
    "max_connections_per_address": gettext_lazy("Connections per address"),
    "delivery": gettext_lazy("Delivery"),
    "lmtp_target": gettext_lazy("LMTP server"),
    "node": gettext_lazy("Node"),
    "via": gettext_lazy("Way out"),
    "smarthosts": gettext_lazy("Smarthosts"),
    "with_tls": gettext_lazy("With TLS"),
    "without_tls": gettext_lazy("Without TLS"),
    "fingerprint": gettext_lazy("Fingerprint"),
    "names": gettext_lazy("Names"),
}


@dataclass(frozen=True, slots=True)
class Difference:
    """One value that changed."""

    label: str | Promise
    before: str
    after: str


def sentence(entry: Entry) -> SafeString:
    """Return what was done as a sentence, in the language in force; safe HTML."""
    text = str(SENTENCES.get(entry.verb, _OTHER))
    return format_html(
        text, actor=foreign(ACTORS.get(entry.actor, entry.actor)), subject=foreign(entry.subject), verb=entry.verb
    )


def differences(entry: Entry) -> Iterator[Difference]:
    """Yield the values that changed, in a steady order."""
    for field in dict.fromkeys([*entry.before, *entry.after]):
        before, after = entry.before.get(field), entry.after.get(field)
        if before != after and (field in entry.before or after):
            yield Difference(FIELDS.get(field, field), _shown(before), _shown(after))


def _shown(value: object) -> str:
    """Return a JSON value as people read it; empty for nothing."""
    if value is None or value == "":
        return ""
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, list):
        return ", ".join(_shown(part) for part in value)
    if isinstance(value, dict):
        return " ".join(_shown(part) for part in value.values() if part not in (None, ""))
    return " / ".join(str(value).splitlines())
