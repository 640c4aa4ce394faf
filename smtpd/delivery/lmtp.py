"""Delivery by LMTP (RFC 2033) to the server that keeps a domain's mailboxes, Dovecot for instance.

The same dialogue as SMTP, with LHLO and with a reply for each recipient after the message. The server is on this
machine or in this house and is named in the settings: no MX, no password; TLS where it is offered over TCP.
"""

from __future__ import annotations

from collections.abc import Mapping

import structlog

from mailadmin.queue.envelopes import ClaimedMessage, ClaimedRecipient, Verdict
from smtpd.smtp.client_actions import Trouble

from .agent import Body
from .courier import Courier, internal_error
from .targets import Target
from .timeouts import Timeouts

log = structlog.get_logger("smtpd.delivery")


class LmtpAgent:
    """Delivers to one LMTP server.

    Args:
        target: ``HOST:PORT`` (an IPv6 address in brackets) or the absolute path of a unix socket.
        hostname: our name.
        timeouts: other limits than the usual ones.
    """

    def __init__(self, target: str, *, hostname: str, timeouts: Timeouts | None = None) -> None:
        self._target = target
        self._courier = Courier(hostname, timeouts or Timeouts(), repairable=True)

    async def deliver(
        self, message: ClaimedMessage, recipients: tuple[ClaimedRecipient, ...], body: Body
    ) -> Mapping[int, Verdict]:
        """Try to deliver; see `DeliveryAgent`."""
        job = self._courier.job(message, recipients, body)
        try:
            await self._courier.carry(job, [lmtp_server(self._target)])
        except Trouble as trouble:
            trouble.peer = self._target
            job.settle_all(trouble.verdict())
        except Exception:
            log.exception("a delivery broke off", peer=self._target)
            job.settle_all(internal_error(self._target))
        return job.verdicts

    async def close(self) -> None:
        """Let go of kept connections."""
        await self._courier.close()


def lmtp_server(target: str) -> Target:
    """Return the server that `target` names: ``HOST:PORT``, ``[IPv6]:PORT`` or the path of a unix socket.

    Raises:
        Trouble: it names none.
    """
    if target.startswith("/"):
        return Target("", target, 0, lmtp=True)
    host, _, port = target.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not (port.isascii() and port.isdecimal() and 0 < int(port) < 65536):  # noqa: PLR2004  # TCP ports
        words = f"{target!r} is no LMTP server: it must be HOST:PORT or the path of a socket."
        raise Trouble("route", words, "4.3.5", reason="bad-target")
    return Target(host, host, int(port), "opportunistic", lmtp=True)
