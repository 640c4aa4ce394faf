"""The sessions: one class per kind of listener, on one engine."""

from __future__ import annotations

from typing import Final

from mailadmin.policy.snapshot import ListenerPolicy
from smtpd.runtime import Runtime
from smtpd.sessions.mx import MxSession
from smtpd.sessions.session import SmtpSession
from smtpd.sessions.submission import SubmissionSession

_CLASSES: Final[dict[str, type[SmtpSession]]] = {
    "mx": MxSession,
    "submission": SubmissionSession,
    "submissions": SubmissionSession,
}


class SessionFactory:
    """Makes the sessions of one listener.

    Attributes:
        implicit_tls: whether its connections begin with TLS.
    """

    def __init__(self, runtime: Runtime, listener: ListenerPolicy) -> None:
        self._runtime = runtime
        self._listener = listener
        self._class = _CLASSES[listener.role]
        self.implicit_tls = listener.role == "submissions"

    def __call__(self) -> SmtpSession:
        """Return the session of a new connection."""
        return self._class(self._runtime, self._listener)
