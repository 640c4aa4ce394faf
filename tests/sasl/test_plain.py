"""PLAIN, with the examples of RFC 4616 §4 and RFC 4954 §4.1."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smtpd.sasl import MECHANISMS
from smtpd.sasl.exchange import Authenticated, CheckPassword, Rejected
from tests.sasl.driver import play

PASSWORDS = {"tim": b"tanstaaftanstaaf", "Kurt": b"xipj3plmq", "test": b"1234"}
plain = MECHANISMS["PLAIN"].start


@pytest.mark.parametrize(
    ("line", "login"),
    [
        (b"AHRpbQB0YW5zdGFhZnRhbnN0YWFm", "tim"),  # RFC 4616 §4, first example
        (b"AHRlc3QAMTIzNA==", "test"),  # RFC 4954 §4.1
    ],
)
def test_the_published_examples_sign_in(line: bytes, login: str) -> None:
    played = play(plain(base64.b64decode(line)), [], PASSWORDS)
    assert played.outcome == Authenticated(login)
    assert played.challenges == []


def test_without_an_initial_response_the_challenge_is_empty() -> None:
    played = play(plain(None), [b"\0tim\0tanstaaftanstaaf"], PASSWORDS)
    assert played.challenges == [b""]
    assert played.outcome == Authenticated("tim")


def test_whom_the_client_acts_for_is_handed_on_for_a_decision() -> None:
    played = play(plain(b"Ursel\0Kurt\0xipj3plmq"), [], PASSWORDS)  # RFC 4616 §4, second example
    assert played.checks == [CheckPassword("Kurt", b"xipj3plmq", "Ursel")]


@pytest.mark.parametrize("message", [b"", b"\0", b"tim", b"\0tim", b"\0tim\0pass\0", b"\0\0\0", b"tim\0pass"])
def test_a_message_without_exactly_two_nul_is_malformed(message: bytes) -> None:
    played = play(plain(message), [], PASSWORDS)
    assert played.outcome == Rejected("malformed")
    assert played.checks == []


@pytest.mark.parametrize(
    "message",
    [
        b"\0\0tanstaaftanstaaf",
        b"\0tim\0",
        b"\0\xff\0tanstaaftanstaaf",
        b"\0tim\0\xff",
        b"\xff\0tim\0tanstaaftanstaaf",
        b"\0t\x07im\0tanstaaftanstaaf",
        b"\0" + b"t" * 256 + b"\0pass",
        b"t" * 256 + b"\0tim\0tanstaaftanstaaf",
        b"\0tim\0" + b"p" * 1025,
    ],
)
def test_a_name_or_password_that_nobody_can_have_is_refused_without_a_check(message: bytes) -> None:
    played = play(plain(message), [], PASSWORDS)
    assert played.outcome == Rejected("refused")
    assert played.checks == []


def test_the_longest_name_and_password_are_checked() -> None:
    played = play(plain(b"\0" + b"t" * 255 + b"\0" + b"p" * 1024), [], {"t" * 255: b"p" * 1024})
    assert played.outcome == Authenticated("t" * 255)


def test_a_name_is_prepared_and_a_password_is_not() -> None:
    played = play(plain("\0ｔｉｍ\0ｐ".encode()), [], PASSWORDS)
    assert played.checks == [CheckPassword("tim", "ｐ".encode())]


@given(st.one_of(st.binary(max_size=60), st.lists(st.sampled_from([b"tim", b"\0", b"1234", b"test"])).map(b"".join)))
def test_nobody_signs_in_without_the_right_password(message: bytes) -> None:
    outcome = play(plain(message), [], PASSWORDS).outcome
    if isinstance(outcome, Authenticated):
        assert message.endswith(b"\0" + outcome.login.encode() + b"\0" + PASSWORDS[outcome.login])
    else:
        assert isinstance(outcome, Rejected)
