"""LOGIN, as Outlook Express and smtplib speak it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smtpd.sasl import MECHANISMS
from smtpd.sasl.exchange import Authenticated, CheckPassword, Rejected
from tests.sasl.driver import play

PASSWORDS = {"olga@example.org": b"tulip"}
login = MECHANISMS["LOGIN"].start


def test_the_prompts_are_spelled_as_outlook_express_wants_them() -> None:
    played = play(login(None), [b"olga@example.org", b"tulip"], PASSWORDS)
    assert played.challenges == [b"Username:", b"Password:"]
    assert played.outcome == Authenticated("olga@example.org")


def test_a_name_may_come_as_initial_response() -> None:
    played = play(login(b"olga@example.org"), [b"tulip"], PASSWORDS)
    assert played.challenges == [b"Password:"]
    assert played.outcome == Authenticated("olga@example.org")


def test_an_empty_initial_response_is_no_name() -> None:
    assert play(login(b""), [], PASSWORDS).challenges == [b"Username:"]


@pytest.mark.parametrize(
    ("name", "password"),
    [(b"", b"tulip"), (b"olga@example.org", b""), (b"\xff", b"tulip"), (b"olga@example.org", b"\xff"), (b"a\0b", b"x")],
)
def test_a_name_or_password_that_nobody_can_have_is_refused_without_a_check(name: bytes, password: bytes) -> None:
    played = play(login(None), [name, password], PASSWORDS)
    assert played.outcome == Rejected("refused")
    assert played.checks == []


def test_the_password_is_asked_for_whatever_the_name() -> None:
    for name in (b"olga@example.org", b"nobody", b"\xff", b"n" * 5000):
        assert play(login(None), [name], PASSWORDS).challenges == [b"Username:", b"Password:"]


@given(st.binary(max_size=40), st.binary(max_size=40))
def test_nobody_signs_in_without_the_right_password(name: bytes, password: bytes) -> None:
    played = play(login(None), [name, password], PASSWORDS)
    assert isinstance(played.outcome, Rejected)
    assert all(isinstance(check, CheckPassword) for check in played.checks)


def test_the_registry_says_what_a_mechanism_is_like() -> None:
    assert list(MECHANISMS) == ["PLAIN", "LOGIN"]
    assert all(mechanism.name == name and mechanism.plaintext for name, mechanism in MECHANISMS.items())
    assert MECHANISMS["PLAIN"].client_first
    assert not MECHANISMS["LOGIN"].client_first
