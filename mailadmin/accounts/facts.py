"""What the page of one account shows beside the account: how to set a mail program up, and its sign-ins."""

from __future__ import annotations

from dataclasses import dataclass

from mailadmin.accounts.models import Account
from mailadmin.activity.models import SignIn
from mailadmin.activity.sign_in_reasons import OK
from mailadmin.listeners.models import Listener, Role
from mailadmin.queue.models import FINAL_STATES, Recipient
from mailadmin.server.models import Server


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """What a mail program asks for; a port is None while no listener of its role is on."""

    server: str
    starttls_port: int | None
    tls_port: int | None


def client_settings() -> ClientSettings:
    """Return the settings by the server's name and the listeners that are on."""
    # Of several listeners of a role the oldest counts: the one people know.
    ports = dict(Listener.objects.filter(enabled=True).order_by("-id").values_list("role", "port"))
    hostname = Server.objects.values_list("hostname", flat=True).first() or "localhost"
    return ClientSettings(hostname, ports.get(Role.SUBMISSION), ports.get(Role.SUBMISSIONS))


def sign_ins(account: Account, limit: int) -> list[SignIn]:
    """Return the account's newest sign-ins, panel included."""
    return list(SignIn.objects.filter(account=account)[:limit])


@dataclass(frozen=True, slots=True)
class Proof:
    """Whether a mail program has signed in: `signed_in` is the newest success, `refused` a newer failure."""

    signed_in: SignIn | None
    refused: SignIn | None

    @property
    def mark(self) -> int:
        """A number that changes when there is something new to show."""
        return max((event.pk for event in (self.signed_in, self.refused) if event is not None), default=0)


def proof(account: Account) -> Proof:
    """Return what mail programs have shown of `account` so far."""
    events = SignIn.objects.filter(account=account).exclude(listener="panel")
    newest = events.first()
    if newest is None or newest.result == OK:
        return Proof(newest, None)
    return Proof(events.filter(result=OK).first(), newest)


def waiting(account: Account) -> int:
    """Return for how many recipients mail of `account` has not left yet."""
    return Recipient.objects.filter(message__account=account).exclude(state__in=FINAL_STATES).count()
