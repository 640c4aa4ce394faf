"""The policy and the table of processes, as the frame of a process needs them: blocking calls for its threads.

A thread keeps its connection between calls. Every error of the database is an `UnavailableError`, after which the
next call starts with a new connection.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from datetime import datetime
from functools import wraps
from pathlib import Path
from typing import ParamSpec, TypeVar

from django.core.exceptions import ObjectDoesNotExist
from django.db import connection, connections

from mailadmin.certificates.context import server_context
from mailadmin.generation import services as generation
from mailadmin.policy.services import build_snapshot
from mailadmin.policy.snapshot import CertificatePolicy, Snapshot
from mailadmin.secretbox import CERTIFICATE_KEY, unseal
from mailadmin.server.services import initialise
from smtpd.storage.errors import DATABASE_ERRORS, UnavailableError
from smtpd.storage.generations import EMPTY, in_words

P = ParamSpec("P")
R = TypeVar("R")


def _guarded(function: Callable[P, R]) -> Callable[P, R]:
    """Turn what the database raises into `UnavailableError` and start anew after it."""

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except ObjectDoesNotExist as error:
            raise UnavailableError(EMPTY) from error
        except DATABASE_ERRORS as error:
            connections.close_all()
            raise UnavailableError(in_words(error)) from error

    return call


@_guarded
def prepare(now: datetime) -> None:
    """Put the rows in place that the product cannot be without (see `server.services.initialise`)."""
    initialise(now)


@_guarded
def read_snapshot() -> Snapshot:
    """Return the policy in the database."""
    return build_snapshot()


@_guarded
def beat(
    *, node: str, pid: int, role: str, generation_: int, started_at: datetime, problems: list[str], now: datetime
) -> None:
    """Write that a process lives (see `generation.services.beat`)."""
    if connection.vendor == "sqlite":
        # Losing the last heartbeats to a power cut is no loss, so this connection need not wait for the disk. What
        # others commit with FULL is synced by them, whatever stands before it in the log.
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA synchronous=NORMAL")
    generation.beat(
        node=node,
        pid=pid,
        role=role,
        generation=generation_,
        started_at=started_at,
        problems=problems,
        now=now,
    )


@_guarded
def forget(node: str, pid: int) -> None:
    """Take a process out of the table that ends."""
    generation.forget(node=node, pid=pid)


@_guarded
def forget_ended(node: str, now: datetime) -> None:
    """Take out the processes of this node that were killed, and those of other nodes that fell silent long ago."""
    for pid in generation.pids(node):
        if not Path(f"/proc/{pid}").exists():
            generation.forget(node=node, pid=pid)
    generation.forget_silent(now)


def open_context(certificate: CertificatePolicy) -> ssl.SSLContext:
    """Return a context for `certificate`, whose key is unsealed for it.

    Raises:
        SealBrokenError: the sealing key is not the one that sealed it.
        ssl.SSLError, ValueError: chain and key do not load.
    """
    return server_context(certificate.chain_pem, unseal(certificate.key_sealed, CERTIFICATE_KEY))


def close() -> None:
    """Let go of the connections of this thread."""
    connections.close_all()
