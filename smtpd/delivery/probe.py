"""Tries a way out step by step and tells what happened, for the Test button and ``route test``.

It takes the same steps as a delivery, with the same code, and stops at the first that fails; no message is sent. Each
step is a dict: ``step`` (resolve, connect, tls, banner, ehlo, starttls, certificate, auth, mail), ``ok``, ``text`` (the
server's raw reply, or what happened in words) and ``reason`` (a short stable name, see `Trouble`, or empty).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final, TypedDict

import structlog

from smtpd.smtp.client_actions import Trouble

from .connection import Connection
from .probe_steps import Walk
from .resolver import MxResolver, NoRoute
from .targets import MOST_ADDRESSES, Target
from .timeouts import Timeouts
from .tls import Contexts

# Somebody is looking at the page: all limits are short, and the whole stays under two minutes.
PATIENCE: Final = Timeouts(
    connect=10, tls=15, banner=30, hello=20, starttls=15, auth=30, reset=10, mail=20, block=10, total=90
)
_BLOCKED: Final = (
    "No answer on port {port} from any of its servers. Many providers block outgoing port 25 for their customers "
    "(in Japan it is called OP25B): direct delivery is then impossible, and mail must leave through a smarthost, "
    "on port 587 or 465."
)

log = structlog.get_logger("smtpd.delivery")


class Step(TypedDict):
    """One step and what came of it."""

    step: str
    ok: bool
    text: str
    reason: str


async def probe(
    target: Mapping[str, object],
    password: str | None = None,
    *,
    hostname: str,
    resolver: MxResolver | None = None,
    mx_port: int = 25,
    timeouts: Timeouts = PATIENCE,
) -> tuple[bool, list[Step]]:
    """Try a way out; never raises.

    Args:
        target: a smarthost (``host``, ``port``, ``tls``, ``username``, ``ca_pem``; ``via`` "smarthost" or absent), or
            ``{"via": "mx", "domain": …}``.
        password: the smarthost's password, open.
        hostname: our name.
        resolver: for "mx"; without one, the system's name servers are asked and private addresses refused.
        mx_port: where servers found by MX listen.
        timeouts: the limits.

    Returns:
        Whether all steps worked, and the steps.
    """
    attempt = _Attempt(hostname, timeouts)
    try:
        if target.get("via") == "mx":
            resolver = resolver or MxResolver(hostname=hostname, allow_private=False)
            await attempt.direct(str(target.get("domain", "")), resolver, mx_port)
        else:
            await attempt.smarthost(_smarthost(target, password))
    except Trouble as trouble:
        text = f"{trouble.peer}: {trouble.words}" if trouble.peer else trouble.words
        attempt.tell(_step_of(trouble.stage), text, trouble.reason or "unknown")
    except Exception:
        log.exception("the test of a way out broke off")
        attempt.tell("connect", "The test broke off by an internal error; the daemon's log says more.", "internal")
    steps = attempt.steps
    return bool(steps) and all(step["ok"] for step in steps), steps


class _Attempt:
    """One probe under way, and the steps so far."""

    def __init__(self, hostname: str, timeouts: Timeouts) -> None:
        self._hostname = hostname
        self._timeouts = timeouts
        self._deadline = asyncio.get_running_loop().time() + timeouts.total
        self.steps: list[Step] = []

    def tell(self, step: str, text: str, reason: str = "") -> None:
        """Add a step; one with a reason failed."""
        self.steps.append(Step(step=step, ok=not reason, text=text, reason=reason))

    async def smarthost(self, target: Target) -> None:
        """Try a smarthost.

        Raises:
            Trouble: it cannot be reached.
        """
        connection = await self._connect(target)
        try:
            await Walk(connection, target, self._hostname, self.tell).smarthost()
        finally:
            connection.leave()

    async def direct(self, domain: str, resolver: MxResolver, port: int) -> None:
        """Try the servers of a domain until one can be reached.

        Raises:
            Trouble: DNS does not answer.
        """
        try:
            hosts = await resolver.hosts(domain)
        except NoRoute as decided:
            self.tell("resolve", decided.verdict.reply, "no-route")
            return
        self.tell("resolve", "\n".join(f"{host.name} [{host.address}]" for host in hosts))
        troubles: list[Trouble] = []
        for host in hosts[:MOST_ADDRESSES]:
            target = Target(host.name, host.address, port, "opportunistic")
            try:
                connection = await self._connect(target)
            except Trouble as trouble:
                troubles.append(trouble)
                continue
            try:
                await Walk(connection, target, self._hostname, self.tell).direct()
            finally:
                connection.leave()
            return
        lines = [f"{trouble.peer}: {trouble.words}" for trouble in troubles]
        self.tell("connect", "\n".join([_BLOCKED.format(port=port), *lines]), "op25b")

    async def _connect(self, target: Target) -> Connection:
        try:
            connection = await Connection.to(
                target, timeouts=self._timeouts, contexts=Contexts(), deadline=self._deadline
            )
        except Trouble as trouble:
            trouble.peer = trouble.peer or target.peer()
            raise
        self.tell("connect", f"Connected to {connection.peer}")
        return connection


def _smarthost(target: Mapping[str, object], password: str | None) -> Target:
    """Return the smarthost that `target` describes.

    Raises:
        Trouble: it describes none.
    """
    host = str(target.get("host", "")).strip()
    port, tls = target.get("port"), target.get("tls")
    if not host or not isinstance(port, int) or not 0 < port < 65536 or tls not in {"none", "starttls", "implicit"}:  # noqa: PLR2004
        raise Trouble("connect", "A smarthost needs a name, a port and a kind of TLS.", reason="bad-target")
    username = str(target.get("username") or "")
    ca_pem = str(target.get("ca_pem") or "")
    return Target(host, host, port, tls, ca_pem, username, password or "")


def _step_of(stage: str) -> str:
    return stage if stage in {"resolve", "connect", "auth", "mail"} else "connect"
