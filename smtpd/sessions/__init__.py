"""The sessions: one class per kind of listener, on one engine."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from mailadmin.policy.snapshot import ListenerPolicy
from smtpd.runtime import Runtime
from smtpd.sessions.mx import MxSession
from smtpd.sessions.submission import SubmissionSession

_CLASSES = {"mx": MxSession, "submission": SubmissionSession, "submissions": SubmissionSession}


def factory(runtime: Runtime, listener: ListenerPolicy) -> Callable[[], asyncio.Protocol]:
    """Return what makes the protocol of a new connection to `listener`."""
    session = _CLASSES[listener.role]
    return lambda: session(runtime, listener)
