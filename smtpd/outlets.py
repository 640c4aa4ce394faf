"""Makes the delivery agent for a lane: here the agents' needs (passwords, mailboxes, name servers) meet the store."""

from __future__ import annotations

from asyncio import Future
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

from mailadmin.policy.snapshot import Snapshot
from smtpd.delivery.agent import DeliveryAgent
from smtpd.delivery.dispatch import Lane
from smtpd.delivery.lmtp import LmtpAgent
from smtpd.delivery.maildir import MaildirAgent
from smtpd.delivery.resolver import MxResolver
from smtpd.delivery.smtp import SmtpAgent
from smtpd.smtp.client_actions import Trouble
from smtpd.storage.errors import UnavailableError
from smtpd.storage.patience import patiently
from smtpd.storage.queue import Queue, mailboxes, sealer
from smtpd.store import Store

R = TypeVar("R")


def outlet(lane: Lane, snapshot: Snapshot, *, store: Store, queue: Queue) -> DeliveryAgent:
    """Return an agent for `lane` by the policy `snapshot`."""
    match lane.kind:
        case "maildir":
            # The agent calls these in a thread and awaits in the loop what they return.
            return MaildirAgent(
                mailboxes(),
                mailbox=lambda address: _known(partial(_mailbox, store, address)),
                quota=lambda address: _known(partial(queue.quota, address)),
            )
        case "lmtp":
            return LmtpAgent(lane.target, hostname=snapshot.hostname)
        case "smarthost":
            return SmtpAgent.for_smarthosts(lane.smarthosts, sealer=sealer(), hostname=snapshot.hostname)
        case "mx":
            resolver = MxResolver(hostname=snapshot.hostname, allow_private=snapshot.allow_private_destinations)
            return SmtpAgent.for_mx(resolver, hostname=snapshot.hostname, port=snapshot.mx_port)


async def _known(call: Callable[[], Awaitable[R]]) -> R:
    """Return what `call` reads in the database.

    Raises:
        Trouble: the database is away, and stays so.
    """
    try:
        return await patiently(call)
    except UnavailableError as error:
        words = "The database cannot be read at the moment, so it is not known where the mail belongs."
        raise Trouble("mailbox", words, "4.3.0", reason="store") from error


async def _mailbox(store: Store, address: str) -> str | None:
    """Return the mailbox that takes mail for `address`; the store must be asked in the loop."""
    answer = store.mailbox(address)
    return await answer if isinstance(answer, Future) else answer
