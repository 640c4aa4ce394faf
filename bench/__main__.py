"""Sets the product up, loads it, and writes what came of it to bench/results.md: ``python -m bench --help``."""

from __future__ import annotations

import argparse
import sys
import time
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from bench import load, processes, report
from bench.product import Product

RESULTS: Final = Path(__file__).resolve().parent / "results.md"
TOTAL: Final = 165.0  # seconds that the whole run may take; the measurements get what the set-up leaves
IDLE_TIME: Final = 12.0  # seconds of them for the idle connections
_BIG: Final = 10_485_760
# By title: what the load generator is to do. Kept connections end after 100 messages and are opened anew.
RUNS: Final[dict[str, tuple[str, ...]]] = {
    "sessions, 1 client": ("--conc", "1"),
    "sessions, 10 clients": ("--conc", "10"),
    "sessions, 50 clients": ("--conc", "50"),
    "10 kept connections": ("--mode", "keepalive", "--msgs", "100", "--conc", "10"),
    "10 kept connections, pipelined": ("--mode", "keepalive", "--msgs", "100", "--conc", "10", "--pipelining"),
    "10 MB messages, 2 clients": (
        "--mode", "keepalive", "--msgs", "5", "--conc", "2", "--size", str(_BIG), "--max-sessions", "10"
    ),
}  # fmt: skip


def main() -> int:
    """Measure, print, write; return 1 when anything was refused or lost."""
    options = _options()
    started = time.monotonic()
    try:
        load.build()
    except load.CannotBuildError as error:
        print(f"make bench cannot go on: {error}", file=sys.stderr)
        return 2
    product = Product(options.accounts)
    try:
        _tell(f"setting up {options.accounts} accounts")
        product.set_up()
        product.start()
        _warm_up(product)
        idle = _hold_idle(product, options.idle) if options.idle else None
        left = TOTAL - (time.monotonic() - started)
        seconds = min(options.seconds, max(0.5, left / (options.rounds * len(RUNS)) - 0.7))
        samples = _measure(product, seconds, options.rounds)
        accepted = sum(row["messages"] for rows in samples.values() for row in rows)
        lost = accepted - product.messages()
        page = report.page(samples, idle, _facts(product), datetime.now(UTC))
    finally:
        product.remove()
    print(page)
    if options.output:
        Path(options.output).write_text(page)
    errors = sum(row["errors"] for rows in samples.values() for row in rows)
    if lost > 0:
        print(f"{lost} messages had their 250 and are not in the queue.", file=sys.stderr)
    return 1 if errors or lost > 0 else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--accounts", type=int, default=100, help="people who send (100)")
    parser.add_argument("--seconds", type=float, default=4.0, help="the longest time of one run (4)")
    parser.add_argument("--rounds", type=int, default=3, help="how often each run is made (3)")
    parser.add_argument("--idle", type=int, default=1000, help="connections that do nothing; 0 leaves them out (1000)")
    parser.add_argument("--output", default=str(RESULTS), help="file for the results; empty for none")
    return parser.parse_args()


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _warm_up(product: Product) -> None:
    """Have every password seen by every worker: again until all sign-ins are quick, since chance picks the worker."""
    _tell("signing everybody in for the first time")
    count = len(product.users.read_text().splitlines())
    rounds = 1 if len(product.pids("worker")) == 1 else 6
    for _ in range(rounds):
        report_ = load.run(
            product.port, product.users, "--mode", "auth-only", "--conc", "4", "--duration", "50", "--timeout", "50",
            "--max-sessions", str(count),
        )  # fmt: skip
        if report_["errors"]:
            raise RuntimeError(f"somebody could not sign in: {report_['errors_by_kind']}")


def _hold_idle(product: Product, connections: int) -> report.Sample:
    pids = [pid for role in ("supervisor", "worker", "runner") for pid in product.pids(role)]
    before = processes.memory(pids)
    _tell(f"holding {connections} idle connections")
    after, found = load.hold(
        product.port, product.users, product.home / "ready", connections, lambda: processes.memory(pids)
    )
    return {"before": before, "after": after, "open": found["idle_open"], "alive": found["idle_alive_after_hold"]}


def _measure(product: Product, seconds: float, rounds: int) -> dict[str, list[report.Sample]]:
    """Make every run once a round, so that what else the machine does falls on all alike."""
    samples: dict[str, list[report.Sample]] = defaultdict(list)
    server, runner = product.pids("supervisor") + product.pids("worker"), product.pids("runner")
    for number in range(1, rounds + 1):
        for title, arguments in RUNS.items():
            _tell(f"round {number} of {rounds}: {title}")
            before = processes.cpu_seconds(server), processes.cpu_seconds(runner)
            row = load.run(product.port, product.users, *arguments, "--duration", f"{seconds:.2f}")
            used = processes.cpu_seconds(server) - before[0]
            used_by_runner = processes.cpu_seconds(runner) - before[1]
            messages = max(row["messages"], 1)
            row["cpu"] = used / messages * 1000
            row["runner_cpu"] = used_by_runner / messages * 1000
            row["others"] = max(
                0.0, (row["cpu_machine_s"] - row["cpu_client_s"] - used - used_by_runner) / row["wall_s"]
            )
            row["p50"], row["p99"] = (row["latency_ms"].get(key, 0.0) for key in ("p50", "p99"))
            samples[title].append(row)
            if row["errors"]:
                _tell(f"  errors: {row['errors_by_kind']}")
    return samples


def _facts(product: Product) -> dict[str, str]:
    return {
        "machine": processes.describe_machine(product.home),
        "database": product.database(),
        "workers": str(len(product.pids("worker"))),
        "accounts": str(len(product.users.read_text().splitlines())),
    }


if __name__ == "__main__":
    sys.exit(main())
