"""The duty of a worker: accept connections on the supervisor's sockets and serve sessions by the policy in force."""

from __future__ import annotations

import asyncio
import socket
from functools import partial
from typing import Final

import structlog

from mailadmin.policy.snapshot import CertificatePolicy, Snapshot
from smtpd import limits, tls
from smtpd.accepting import Door, serve
from smtpd.authenticate import Authenticator
from smtpd.runtime import Runtime
from smtpd.sessions import SessionFactory
from smtpd.storage import policy
from smtpd.store import Store
from smtpd.watcher import Watcher

Key = tuple[str, int]

SWEEP: Final = 1.0  # seconds between two looks at deadlines
LAST_WORDS: Final = 0.2  # seconds for the last replies of a drain to leave

log = structlog.get_logger("smtpd.worker")


class WriterStuckError(Exception):
    """The database has not taken a commit for too long; sessions get 451, and another process may fare better."""


class Doors:
    """The sockets a worker accepts on, and what stands behind each.

    A socket stays when a policy puts another role behind its port; only the way of accepting on it is then begun anew.
    """

    def __init__(self) -> None:
        self._factories: dict[Key, SessionFactory] = {}
        self._sockets: dict[Key, socket.socket] = {}
        # Whether it begins with TLS, and the door itself; missing while no policy is read that has the endpoint.
        self._doors: dict[Key, tuple[bool, Door]] = {}

    async def set_factories(self, factories: dict[Key, SessionFactory]) -> None:
        """Serve new connections by `factories`; a socket that has none any more keeps its last one until it closes."""
        self._factories.update(factories)
        for key in [*self._sockets]:
            await self._serve(key)

    async def open(self, key: Key, sock: socket.socket) -> None:
        """Accept connections on `sock`."""
        self.close(key)
        self._sockets[key] = sock
        await self._serve(key)

    async def _serve(self, key: Key) -> None:
        """Have the right kind of door on a socket."""
        factory = self._factories.get(key)
        if factory is None:
            return
        if key in self._doors:
            implicit_tls, door = self._doors[key]
            if implicit_tls == factory.implicit_tls:
                return
            door.close()
        door = await serve(lambda: self._factories[key], self._sockets[key].dup())
        self._doors[key] = (factory.implicit_tls, door)

    def close(self, key: Key) -> None:
        """Accept no more connections there; the open ones live on."""
        if key in self._doors:
            self._doors.pop(key)[1].close()
        if key in self._sockets:
            self._sockets.pop(key).close()

    def close_all(self) -> None:
        """Accept no more connections anywhere."""
        for key in [*self._sockets]:
            self.close(key)


class Worker:
    """Serves sessions."""

    def __init__(self) -> None:
        self._doors = Doors()
        self._runtime: Runtime | None = None
        self._certificate: CertificatePolicy | None = None

    async def adopt(self, snapshot: Snapshot, watcher: Watcher) -> list[tuple[str, str, int]]:
        """Swap policy and certificate; return the endpoints of the listeners."""
        if self._runtime is None:
            self._runtime = _runtime(snapshot, watcher)
        runtime = self._runtime
        await self._renew_tls(runtime, snapshot.certificate, watcher)
        runtime.snapshot = snapshot
        await self._doors.set_factories(_factories(runtime))
        return [
            (listener.name, address, listener.port) for listener in snapshot.listeners for address in listener.addresses
        ]

    async def _renew_tls(self, runtime: Runtime, certificate: CertificatePolicy | None, watcher: Watcher) -> None:
        """Take a changed certificate if it works; keep the one before if it does not."""
        if certificate is None:
            watcher.problems["certificate"] = "There is no certificate, so no client can use TLS."
            runtime.tls = self._certificate = None
            return
        if certificate == self._certificate:
            return
        try:
            runtime.tls = await watcher.in_thread(partial(tls.build, certificate, policy.open_context))
        except tls.RefusedPairError as error:
            log.exception("a certificate was refused", certificate=certificate.id)
            kept = "the one before stays in use" if runtime.tls else "no client can use TLS"
            watcher.problems["certificate"] = f"Certificate {certificate.id} does not work ({error}); {kept}."
            return
        self._certificate = certificate
        watcher.problems.pop("certificate", None)

    async def work(self) -> None:
        """End sessions whose time is over, and watch over the writer.

        Raises:
            WriterStuckError: the writer does not come to an end with a commit.
        """
        runtime = self._runtime
        if runtime is None:
            raise RuntimeError("work() before adopt()")
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(SWEEP)
            runtime.sessions.sweep(loop.time())
            if runtime.store.stalled(limits.COMMIT_TIME):
                raise WriterStuckError("the database's writer is stuck or dead")

    async def open(self, address: str, port: int, sock: socket.socket) -> None:
        """Accept connections on `sock`."""
        await self._doors.open((address, port), sock)

    def close(self, address: str, port: int) -> None:
        """Accept no more connections there."""
        self._doors.close((address, port))

    async def drain(self) -> None:
        """Stop accepting, tell idle sessions to go, give busy ones `limits.DRAIN_TIME`, then end what is left."""
        self._doors.close_all()
        if self._runtime is None:
            return
        sessions = self._runtime.sessions
        log.info("draining", sessions=len(sessions))
        sessions.drain()
        deadline = asyncio.get_running_loop().time() + limits.DRAIN_TIME
        while len(sessions) and asyncio.get_running_loop().time() < deadline:  # noqa: ASYNC110  # a set has no event
            await asyncio.sleep(0.02)
        if len(sessions):
            log.warning("sessions cut off at the end of the drain", sessions=len(sessions))
            sessions.abort()
            await asyncio.sleep(LAST_WORDS)
        await self._runtime.store.close()
        if self._runtime.authenticator is not None:
            self._runtime.authenticator.close()


def _runtime(snapshot: Snapshot, watcher: Watcher) -> Runtime:
    store = Store(asyncio.get_running_loop())
    return Runtime(snapshot, store, watcher.node, authenticator=Authenticator(store), problems=watcher.problems)


def _factories(runtime: Runtime) -> dict[Key, SessionFactory]:
    """Return what makes the sessions, by address and port."""
    return {
        (address, listener.port): SessionFactory(runtime, listener)
        for listener in runtime.snapshot.listeners
        for address in listener.addresses
    }
