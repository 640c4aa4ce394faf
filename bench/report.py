"""The results as a page: what was measured, on what, under which terms."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from statistics import median
from typing import Any, Final

Sample = dict[str, Any]
_TERMS: Final = """\
Accepting only: deliveries are paused. Commits are durable (each 250 comes after a sync), every rule is on, passwords
are bcrypt at cost 12 and each was seen once before. A session is a new connection: STARTTLS with a full handshake,
AUTH PLAIN, one message of 10 KB, QUIT. Latency is from connect (on kept connections: from MAIL) to the 250. Server is
supervisor and workers. The client runs on the same cores, so rates are lower bounds; processor time is the steadiest
figure. Medians of {rounds} rounds."""


_COLUMNS: Final = (
    "run",
    "sessions/s",
    "messages/s",
    "MB/s",
    "p50 ms",
    "p99 ms",
    "server CPU ms/message",
    "runner CPU ms/message",
    "errors",
    "other work on the machine, cores",
)


def page(samples: dict[str, list[Sample]], idle: Sample | None, facts: dict[str, str], now: datetime) -> str:
    """Return the results in Markdown.

    Args:
        samples: what each round of each run gave, by the run's title.
        idle: what the connections that do nothing gave.
        facts: lines about the machine, by their title.
        now: the time of the run.
    """
    rounds = max(len(rows) for rows in samples.values())
    lines = ["# Results", "", f"{now:%Y-%m-%d}; `make bench` writes this page.", ""]
    lines += [f"* {title}: {fact}" for title, fact in facts.items()]
    lines += ["", _TERMS.format(rounds=rounds), ""]
    lines += [
        f"| {' | '.join(_COLUMNS)} |",
        f"|{'---|' * len(_COLUMNS)}",
    ]
    lines += [_row(title, rows) for title, rows in samples.items()]
    if idle is not None:
        lines += ["", _idle(idle)]
    return "\n".join(lines) + "\n"


def _row(title: str, rows: Sequence[Sample]) -> str:
    def middle(key: str, form: str) -> str:
        return format(median(row[key] for row in rows), form)

    cells = (
        title,
        middle("sessions_per_s", ".0f"),
        middle("msgs_per_s", ".0f"),
        middle("mb_per_s", ".1f"),
        middle("p50", ".1f"),
        middle("p99", ".1f"),
        middle("cpu", ".2f"),
        middle("runner_cpu", ".2f"),
        str(sum(row["errors"] for row in rows)),
        middle("others", ".1f"),
    )
    return f"| {' | '.join(cells)} |"


def _idle(idle: Sample) -> str:
    each = (idle["after"] - idle["before"]) / max(idle["open"], 1) / 1024
    return (
        f"Memory: {idle['open']} idle signed-in TLS connections take {each:.1f} KiB each (PSS of all processes of the "
        f"daemon: {idle['before'] / 2**20:.0f} MiB before, {idle['after'] / 2**20:.0f} MiB with them; "
        f"{idle['alive']} still answered afterwards)."
    )
