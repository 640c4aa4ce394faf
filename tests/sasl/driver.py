"""The shortest driver of a mechanism: it plays the client's responses and answers checks from a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from smtpd.sasl.exchange import Challenge, CheckPassword, Exchange, Outcome


@dataclass
class Played:
    """What happened: the challenges and checks, and the outcome (None: the client had nothing more to say)."""

    outcome: Outcome | None = None
    challenges: list[bytes] = field(default_factory=list)
    checks: list[CheckPassword] = field(default_factory=list)


def play(exchange: Exchange, responses: Sequence[bytes], passwords: Mapping[str, bytes]) -> Played:
    """Play an exchange to its end."""
    played = Played()
    waiting = list(responses)
    answer: bytes | bool | None = None
    while True:
        try:
            need = next(exchange) if answer is None else exchange.send(answer)
        except StopIteration as stop:
            played.outcome = stop.value
            return played
        if isinstance(need, Challenge):
            played.challenges.append(need.data)
            if not waiting:
                exchange.close()
                return played
            answer = waiting.pop(0)
        else:
            played.checks.append(need)
            answer = passwords.get(need.login) == need.password
