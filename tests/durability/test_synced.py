"""A 250 to a message means that the queue is on disk: shown by the system calls of the daemon itself.

Between the last octets of a message that the worker reads from its client and the first it writes back, the trace must
show a write to the database's log and then a finished fsync or fdatasync of it. (Killing processes cannot show this:
what they wrote survives them in the page cache.) The same must fail where SQLite is told not to sync.
"""

from __future__ import annotations

import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from tests import cast
from tests.ground import postgresql
from tests.ground.daemon import Product, Template
from tests.ground.syscalls import FILE_WRITES, READS, SYNCS, WRITES, Call, calls, tracer
from tests.interop.messages import LARGE, PLAIN, Letter

GROUP: Final = 20
# Given variables for its environment, it starts a product; the second part stops it and returns the trace.
Start = Callable[..., tuple[Product, Callable[[], list[Call]]]]


@dataclass(frozen=True, slots=True)
class Sent:
    """A message that got its 250: the client's port, and when the client had read the reply."""

    port: int
    answered: float


def _send(product: Product, letter: Letter, together: threading.Barrier | None = None) -> Sent:
    """Send `letter`, and leave without QUIT, so that the reply to it is the last thing the server says."""
    client = product.client("submission", cast.BECKY)
    client.mail(cast.BECKY.address)
    client.rcpt(cast.OUTLOOK.address)
    if together is not None:
        together.wait()
    code, words = client.data(letter.data)
    answered = time.time()
    assert code == 250, words
    assert isinstance(client.sock, socket.socket)
    return Sent(client.sock.getsockname()[1], answered)


def _log_files(product: Product) -> tuple[str, str]:
    """Return what the paths of the database's log, and of the log of large bodies, have in them."""
    if product.url:
        return "/pg_wal/", "/pg_wal/"
    return str(product.home / "mailadmin.sqlite3-wal"), str(product.home / "bodies.sqlite3-wal")


def _window(trace: list[Call], sent: Sent) -> tuple[float, float]:
    """Return when the worker had read the message's end, and when it began to write the reply."""
    own = [call for call in trace if f":{sent.port}]" in call.target]
    reply = max(call.begin for call in own if call.name in WRITES and call.begin < sent.answered)
    read = max(call.end for call in own if call.name in READS and call.result and call.end < reply)
    return read, reply


def _of(trace: list[Call], names: frozenset[str], path: str, before: float) -> list[Call]:
    """Return the calls `names` on files whose path has `path` in it that ended before `before`."""
    return [call for call in trace if call.name in names and path in call.target and call.end < before]


def check(trace: list[Call], sent: Sent, log: str, bodies: str = "") -> None:
    """Fail unless the message was on disk before its reply.

    Args:
        trace: every call.
        sent: the message.
        log: what the path of the database's log has in it.
        bodies: the same of the log that its chunks went to, for a large message.
    """
    read, reply = _window(trace, sent)
    written = [call.end for call in _of(trace, FILE_WRITES, log, reply) if call.begin > read]
    assert written, "nothing was written to the queue between the message and its 250"
    synced = any(call.begin >= min(written) for call in _of(trace, SYNCS, log, reply))
    assert synced, "the queue was not synced between the message and its 250"
    if bodies:
        last = max(call.end for call in _of(trace, FILE_WRITES, bodies, reply))
        synced = any(call.begin >= last for call in _of(trace, SYNCS, bodies, reply))
        assert synced, "the body was not synced before its 250"


@pytest.fixture
def traced_template(product_template: Template) -> Iterator[tuple[Template, Path | None]]:
    """The template; on PostgreSQL one in a cluster that syncs, under a tracer that writes to the folder given."""
    if not product_template.cluster_url:
        yield product_template, None
        return
    with tempfile.TemporaryDirectory(prefix="mailadmin-trace-") as name:
        folder = Path(name)
        with postgresql.cluster(synced=True, before=tracer(folder)) as url:
            template = Template(url)
            yield template, folder
            template.remove()


@pytest.fixture
def traced(traced_template: tuple[Template, Path | None], tmp_path: Path) -> Iterator[Start]:
    """Start a product under a tracer; what is given back beside it stops it and reads the trace."""
    template, database_folder = traced_template
    products: list[Product] = []

    def start(**variables: str) -> tuple[Product, Callable[[], list[Call]]]:
        product = template.copy()
        products.append(product)
        product.variables |= variables
        product.start(before=tracer(tmp_path))

        def stop() -> list[Call]:
            product.stop()
            return sorted(calls(tmp_path) + _calls_so_far(database_folder), key=lambda call: call.begin)

        return product, stop

    yield start
    for product in products:
        product.remove()


def _calls_so_far(folder: Path | None) -> list[Call]:
    return calls(folder, ended=False) if folder else []


def test_a_single_message_is_on_disk_before_its_250(traced: Start) -> None:
    product, stop = traced()
    sent = _send(product, PLAIN)
    check(stop(), sent, _log_files(product)[0])


def test_each_message_of_a_group_is_on_disk_before_its_250(traced: Start, shown: Callable[[str], None]) -> None:
    product, stop = traced()
    together, everybody = threading.Barrier(GROUP), []
    everybody_lock = threading.Lock()

    def send() -> None:
        sent = _send(product, PLAIN, together)
        with everybody_lock:
            everybody.append(sent)

    threads = [threading.Thread(target=send) for _ in range(GROUP)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(everybody) == GROUP
    trace, log = stop(), _log_files(product)[0]
    for sent in everybody:
        check(trace, sent, log)
    windows = [_window(trace, sent) for sent in everybody]
    first, last = min(read for read, _ in windows), max(reply for _, reply in windows)
    syncs = [call for call in trace if call.name in SYNCS and log in call.target and first < call.begin < last]
    shown(f"{GROUP} messages at once: {len(syncs)} syncs of the queue's log")


def test_a_message_of_20_mb_is_on_disk_before_its_250(traced: Start) -> None:
    product, stop = traced()
    sent = _send(product, LARGE)
    check(stop(), sent, *_log_files(product))


@pytest.mark.sqlite_only
@pytest.mark.parametrize("letter", [PLAIN, LARGE], ids=lambda letter: letter.name)
def test_without_syncs_the_same_check_fails(traced: Start, letter: Letter) -> None:
    product, stop = traced(MAILADMIN_SQLITE_SYNCHRONOUS="OFF")
    sent = _send(product, letter)
    with pytest.raises(AssertionError, match="was not synced"):
        check(stop(), sent, *_log_files(product))
