"""What every session of a process shares: the policy in force, the store, and the sessions themselves.

The watcher swaps `snapshot` and `tls` when the policy changes; sessions look at them anew at each command, so that a
change is in force for open sessions, too.
"""

from __future__ import annotations

import ssl
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from mailadmin.policy.snapshot import Snapshot
from smtpd.delivery.verification import Verifier

if TYPE_CHECKING:
    from smtpd.authenticate import Authenticator
    from smtpd.store import Store


class OpenSession(Protocol):
    """What the registry needs of a session."""

    deadline: float

    def expire(self) -> None:
        """End the session: its deadline has passed."""

    def drain(self) -> None:
        """End the session as soon as no message is under way."""

    def abort(self) -> None:
        """End the session now."""


class Sessions:
    """The open sessions of a process: counted, swept when their time is over, drained at the end."""

    def __init__(self) -> None:
        self.open: set[OpenSession] = set()
        self.draining = False
        self._by_listener: Counter[str] = Counter()
        self._by_address: Counter[tuple[str, str]] = Counter()

    def __len__(self) -> int:
        return len(self.open)

    def admit(self, session: OpenSession, listener: str, address: str, *, most: int, most_per_address: int) -> bool:
        """Count `session` in, unless the listener or the address has its share already."""
        key = (listener, address)
        if self._by_listener[listener] >= most or self._by_address[key] >= most_per_address:
            return False
        self._by_listener[listener] += 1
        self._by_address[key] += 1
        self.open.add(session)
        return True

    def leave(self, session: OpenSession, listener: str, address: str) -> None:
        """Count `session` out; harmless when it was never in."""
        if session not in self.open:
            return
        self.open.discard(session)
        self._by_listener[listener] -= 1
        key = (listener, address)
        self._by_address[key] -= 1
        if not self._by_address[key]:
            del self._by_address[key]

    def sweep(self, now: float) -> None:
        """End the sessions whose deadline has passed; called about once a second instead of a timer per session.

        Args:
            now: the event loop's time, in seconds.
        """
        for session in [session for session in self.open if session.deadline < now]:
            session.expire()

    def drain(self) -> None:
        """Tell every session to end as soon as it can; new ones are refused from here on."""
        self.draining = True
        for session in list(self.open):
            session.drain()

    def abort(self) -> None:
        """End every session now."""
        for session in list(self.open):
            session.abort()


@dataclass(slots=True)
class Runtime:
    """One process of the daemon.

    Args:
        snapshot: the policy in force.
        store: the database, as sessions and the runner see it.
        authenticator: runs SASL exchanges; None in the runner.
        node: this machine's name in the database.
        tls: the context of the certificate in use, or None where there is none that works.
        clock: Unix time in seconds.
        problems: what this process cannot do at the moment, in words for the panel.
        verifier: knows which mailboxes the LMTP servers keep.
    """

    snapshot: Snapshot
    store: Store
    node: str
    authenticator: Authenticator | None = None
    tls: ssl.SSLContext | None = None
    clock: Callable[[], float] = time.time
    sessions: Sessions = field(default_factory=Sessions)
    problems: dict[str, str] = field(default_factory=dict)
    verifier: Verifier = field(default_factory=Verifier)
