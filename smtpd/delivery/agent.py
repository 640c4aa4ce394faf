"""What a delivery agent is: it takes a message and some of its recipients and returns a verdict for each.

An agent never raises for what the far side does; whatever happens becomes a `Verdict`. It streams the body and holds
at most a few chunks of it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Protocol

from mailadmin.queue.envelopes import ClaimedMessage, ClaimedRecipient, Verdict

# Opens the stored message anew, from its first octet, in pieces of at most CHUNK octets; lines end in CRLF and no dot
# is doubled.
Body = Callable[[], AsyncIterator[bytes]]


class DeliveryAgent(Protocol):
    """One way of delivering: smarthost or MX by SMTP, LMTP, Maildir."""

    async def deliver(
        self, message: ClaimedMessage, recipients: tuple[ClaimedRecipient, ...], body: Body
    ) -> Mapping[int, Verdict]:
        """Try to deliver `message` to `recipients`.

        Returns:
            A verdict for each recipient, by its id. All of them are there, whatever happened.
        """
        ...

    async def close(self) -> None:
        """Let go of kept connections."""
        ...
