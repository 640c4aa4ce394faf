"""Password verifiers: two forms, no truncation, no exception."""

from __future__ import annotations

import time

import bcrypt
import pytest
from django.contrib.auth.hashers import BCryptSHA256PasswordHasher
from hypothesis import given, settings
from hypothesis import strategies as st

from mailadmin.sasl.verifiers import MAX_COST, check, cost, decoy

LOW = 4


def django(password: str) -> str:
    hasher = BCryptSHA256PasswordHasher()
    hasher.rounds = LOW
    return hasher.encode(password, hasher.salt())


def plain(password: bytes) -> str:
    return bcrypt.hashpw(password, bcrypt.gensalt(LOW)).decode()


@pytest.mark.parametrize(
    "password", ["mikan-kotatsu-yuki-2290", "みかん", "x" * 1024, "a\0b", " leading and trailing "]
)
def test_what_django_stores_is_checked(password: str) -> None:
    verifier = django(password)
    assert check(verifier, password.encode())
    assert not check(verifier, password.encode() + b"x")
    assert not check(verifier, password.encode()[:-1])


def test_plain_bcrypt_of_another_server_is_checked() -> None:
    verifier = plain(b"mikan")
    assert check(verifier, b"mikan")
    assert check(verifier.replace("$2b$", "$2y$"), b"mikan")
    assert not check(verifier, b"Mikan")


def test_no_password_is_ever_cut() -> None:
    verifier = plain(b"x" * 72)
    assert check(verifier, b"x" * 72)
    assert not check(verifier, b"x" * 73)
    assert not check(verifier, b"x" * 1000)
    assert not check(django("x" * 72), b"x" * 73)


def test_a_nul_counts_as_any_octet() -> None:
    assert check(django("a\0b"), b"a\0b")
    assert not check(django("a\0b"), b"a\0c")
    assert not check(plain(b"a"), b"a\0")


def test_the_empty_password_is_never_right() -> None:
    assert not check(django(""), b"")
    assert not check(plain(b""), b"")


STRANGE = [
    "",
    "!unusable",
    "bcrypt_sha256$",
    "bcrypt_sha256$$2b$04$tooshort",
    "$2b$03$" + "a" * 53,
    f"$2b${MAX_COST + 1}$" + "a" * 53,
    "$2b$99$" + "a" * 53,
    "$1$abc$def",
    "pbkdf2_sha256$1000$salt$hash",
    "bcrypt$$2b$04$" + "a" * 53,
    "$2b$04$" + "a" * 52 + "é",
    "$2b$04$" + "a" * 53 + "\n",
    "\ud800",
]


@pytest.mark.parametrize("verifier", STRANGE)
def test_a_verifier_of_unknown_form_is_answered_no_at_once(verifier: str) -> None:
    begin = time.process_time()
    assert cost(verifier) is None
    assert not check(verifier, b"x")
    assert time.process_time() - begin < 0.1


def test_cost_is_read_from_both_forms() -> None:
    assert cost(django("x")) == LOW
    assert cost(plain(b"x")) == LOW
    assert cost("$2b$12$" + "a" * 53) == 12


@settings(max_examples=200)
@given(
    st.one_of(st.text(max_size=80), st.from_regex(r"(bcrypt_sha256\$)?\$2[aby]\$04\$[./A-Za-z0-9]{53}", fullmatch=True))
)
def test_no_verifier_makes_it_raise_or_say_yes(verifier: str) -> None:
    assert check(verifier, b"mikan") is False


def test_a_decoy_costs_what_is_asked_for_and_fits_nothing() -> None:
    verifier = decoy(LOW, b"seed")
    assert cost(verifier) == LOW
    assert verifier == decoy(LOW, b"seed")
    assert verifier != decoy(LOW, b"other")
    assert not check(verifier, b"")
    assert not check(verifier, b"seed")
    # bcrypt has to take its salt for a good one, or it would cost nothing.
    assert all(bcrypt.hashpw(b"x", decoy(LOW, bytes([n])).removeprefix("bcrypt_sha256$").encode()) for n in range(100))
