"""What happens is told to open pages as it happens, and readers who are gone hold nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from mailadmin.panel.live import LIMIT
from tests.ground.daemon import Template, wait_until
from tests.panel_pages.served import Panel, Stream, knock


@pytest.fixture(scope="module", params=["http", "https"])
def panel(request: pytest.FixtureRequest, product_template: Template) -> Iterator[Panel]:
    """The panel, served, with its administrator signed in."""
    product = product_template.copy()
    panel = Panel(product, tls=request.param == "https")
    panel.sign_in()
    yield panel
    if panel.process.poll() is None:
        panel.stop()
    product.remove()


def test_a_new_sign_in_is_in_the_stream_within_a_second(panel: Panel) -> None:
    stream = panel.stream()
    for number in range(3):
        started = time.monotonic()
        knock(panel.product, f"guess-{number}")
        frame = stream.frame()
        assert time.monotonic() - started < 1.0
        assert frame["event"] == "row"
        assert frame["data"].startswith("<tr>")
        assert f"guess-{number}" in frame["data"]
        assert "There is no account with this address." in frame["data"]
    stream.close()


def test_the_overviews_stream_has_lines_and_an_accounts_stream_only_its_own(panel: Panel) -> None:
    lines, own = panel.stream("show=events"), panel.stream("show=sign-ins&account=1")
    knock(panel.product, "nobody")
    panel.product.database.rows(
        "INSERT INTO activity_signin (at, login, listener, client, mechanism, tls, helo, result, account_id)"
        " VALUES (CURRENT_TIMESTAMP, 'me', 'submission', '192.0.2.1', 'PLAIN', '', '', 'ok', 1)"
    )
    assert "<li" in lines.frame()["data"]
    assert "signed in" in lines.frame()["data"]
    assert "192.0.2.1" in own.frame()["data"]
    lines.close()
    own.close()


def test_a_browser_that_comes_back_is_told_what_it_missed_once(panel: Panel) -> None:
    stream = panel.stream()
    knock(panel.product, "before")
    last = stream.frame()["id"]
    stream.close()
    knock(panel.product, "missed-1")
    knock(panel.product, "missed-2")
    stream = panel.stream(**{"Last-Event-ID": last})
    knock(panel.product, "after")
    told = [stream.frame()["data"] for _ in range(3)]
    assert [name for name in ("missed-1", "missed-2", "after") for text in told if name in text] == [
        "missed-1",
        "missed-2",
        "after",
    ]
    assert "before" not in "".join(told)
    stream.close()


def _all_places(panel: Panel) -> list[Stream]:
    """Take every place; those of earlier readers become free within a second or two."""
    streams: list[Stream] = []

    def full() -> bool:
        stream = panel.stream()
        if stream.status == 200:
            streams.append(stream)
        else:
            stream.close()
        return len(streams) == LIMIT

    wait_until(full, f"{LIMIT} streams, but {len(streams)}", 15)
    return streams


def test_there_are_twenty_streams_with_pages_beside_them_and_who_hangs_up_leaves_a_place(panel: Panel) -> None:
    streams = _all_places(panel)
    extra = panel.stream()
    assert extra.status == 503
    extra.close()
    started = time.monotonic()
    assert panel.get("/sign-ins/")[0] == 200
    assert time.monotonic() - started < 2.0
    assert panel.get("/live/rows/?show=sign-ins&after=0.0.0")[0] == 200
    for stream in streams:
        stream.close()
    for stream in _all_places(panel):
        stream.close()


def test_nobody_reads_along_without_a_session(panel: Panel) -> None:
    stranger = panel.stream(Cookie="")
    assert stranger.status == 302
    stranger.close()


@pytest.mark.parametrize("query", ["show=everything", "account=x", "account=-1", f"account={'9' * 30}"])
def test_a_wish_that_makes_no_sense_is_refused(panel: Panel, query: str) -> None:
    stream = panel.stream(query)
    assert stream.status == 400
    stream.close()


def test_streams_end_with_the_panel_and_do_not_hold_it_up(panel: Panel) -> None:
    stream = panel.stream()
    assert panel.stop() < 5.0
    stream.rest()  # ends, and with nothing broken off
