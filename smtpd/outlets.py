"""Makes the delivery agent for a lane: here the agents' needs (passwords, mailboxes, name servers) meet the store."""

from __future__ import annotations

from asyncio import Future

from mailadmin.policy.snapshot import Snapshot
from smtpd.delivery.agent import DeliveryAgent
from smtpd.delivery.dispatch import Lane
from smtpd.delivery.lmtp import LmtpAgent
from smtpd.delivery.maildir import MaildirAgent
from smtpd.delivery.resolver import MxResolver
from smtpd.delivery.smtp import SmtpAgent
from smtpd.storage.queue import Queue, mailboxes, sealer
from smtpd.store import Store


def outlet(lane: Lane, snapshot: Snapshot, *, store: Store, queue: Queue) -> DeliveryAgent:
    """Return an agent for `lane` by the policy `snapshot`."""
    match lane.kind:
        case "maildir":
            # The agent calls these in a thread and awaits in the loop what they return.
            return MaildirAgent(
                mailboxes(),
                mailbox=lambda address: _mailbox(store, address),
                quota=lambda address: queue.quota(address),  # noqa: PLW0108  # no coroutine function: uvloop refuses one
            )
        case "lmtp":
            return LmtpAgent(lane.target, hostname=snapshot.hostname)
        case "smarthost":
            return SmtpAgent.for_smarthosts(lane.smarthosts, sealer=sealer(), hostname=snapshot.hostname)
        case "mx":
            resolver = MxResolver(hostname=snapshot.hostname, allow_private=snapshot.allow_private_destinations)
            return SmtpAgent.for_mx(resolver, hostname=snapshot.hostname, port=snapshot.mx_port)


async def _mailbox(store: Store, address: str) -> str | None:
    """Return the mailbox that takes mail for `address`; the store must be asked in the loop."""
    answer = store.mailbox(address)
    return await answer if isinstance(answer, Future) else answer
