"""How long a delivery waits, stage by stage (RFC 5321 §4.5.3.2), and in all.

The stages are generous, since slow servers are common and a cut at the wrong moment costs a duplicate. What bounds them
is `total`: no new wait begins beyond it. Only the reply to the final dot always gets its full time, because giving up
there is what makes duplicates (RFC 1047). So a call of `deliver()` returns after `longest` seconds at the latest.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from smtpd.smtp.client_actions import Step


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Limits in seconds; `block` is for a piece of the message of at most 256 KiB, `tls` for the handshake."""

    connect: float = 30
    tls: float = 30
    banner: float = 300
    hello: float = 300
    starttls: float = 120
    auth: float = 120
    reset: float = 30
    mail: float = 300
    rcpt: float = 300
    data: float = 120
    block: float = 180
    final: float = 600
    total: float = 3600
    idle: float = 30  # how long an unused connection is kept

    @property
    def longest(self) -> float:
        """The longest that one delivery can take."""
        return self.total + self.final

    def step(self, step: Step) -> float:
        """Return the limit for the reply at `step`."""
        seconds: float = getattr(self, step)
        return seconds

    def scaled(self, factor: float) -> Timeouts:
        """Return the same limits times `factor`."""
        return Timeouts(**{field.name: getattr(self, field.name) * factor for field in fields(self)})
