"""The bound on password checks, by itself."""

from __future__ import annotations

import pytest

from mailadmin.panel import throttle
from mailadmin.panel.throttle import Busy, Throttle


def _failing(client: str, times: int = throttle.FAILURES) -> Throttle:
    bound = Throttle()
    for second in range(times):
        bound.failed(client, float(second))
    return bound


def test_below_the_bound_nobody_waits() -> None:
    assert _failing("192.0.2.1", throttle.FAILURES - 1).wait("192.0.2.1", 10.0) == 0


def test_at_the_bound_one_waits_until_the_oldest_failure_is_past() -> None:
    bound = _failing("192.0.2.1")
    assert bound.wait("192.0.2.1", 10.0) == throttle.WINDOW - 10
    assert bound.wait("192.0.2.1", throttle.WINDOW) == 0


def test_others_do_not_wait_for_it() -> None:
    assert _failing("192.0.2.1").wait("192.0.2.2", 10.0) == 0


def test_a_household_on_ipv6_counts_as_one() -> None:
    bound = _failing("2001:db8:1:2::1")
    assert bound.wait("2001:db8:1:2:ffff::9", 10.0) > 0
    assert bound.wait("2001:db8:1:3::1", 10.0) == 0


def test_an_ipv4_address_in_ipv6_form_is_the_same_client() -> None:
    assert _failing("::ffff:192.0.2.1").wait("192.0.2.1", 10.0) > 0


def test_the_right_password_forgives() -> None:
    bound = _failing("192.0.2.1")
    bound.forgive("192.0.2.1")
    assert bound.wait("192.0.2.1", 10.0) == 0


def test_the_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle, "NETWORKS", 3)
    bound = _failing("192.0.2.1")
    for last in range(2, 5):
        bound.failed(f"192.0.2.{last}", 9.0)
    assert bound.wait("192.0.2.1", 10.0) == 0


def test_no_more_passwords_are_checked_at_once_than_there_are_turns() -> None:
    bound = Throttle(patience=0.01)
    with bound.turn(), bound.turn(), pytest.raises(Busy), bound.turn():
        pass
    with bound.turn():
        pass
