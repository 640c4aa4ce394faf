"""What a password must be, and what is made of it."""

from __future__ import annotations

from datetime import datetime

import pytest
from django.conf import settings
from django.contrib.auth.hashers import check_password, identify_hasher, make_password
from django.core.exceptions import ValidationError

from mailadmin.accounts import passwords
from mailadmin.accounts.models import Account
from tests.cast import BECKY


@pytest.fixture
def account(now: datetime) -> Account:
    """An account that no database has."""
    return Account(address=BECKY.address, name=BECKY.name, created_at=now, password_changed_at=now)


def test_a_generated_password_has_a_hundred_bits_and_no_letter_that_is_mistaken() -> None:
    made = {passwords.generate() for _ in range(200)}
    assert len(made) == 200
    letters = {letter for password in made for letter in password} - {"-"}
    assert not letters & set("0oO1lI")
    # 24 letters out of an alphabet of 31; with 4800 drawn, all of them have come up.
    assert len(letters) == 31
    assert all(len(password.replace("-", "")) == 24 for password in made)


def test_a_generated_password_passes_the_rule(account: Account) -> None:
    passwords.check(passwords.generate(), account)


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("short-1", "too short"),
        ("ichiro@example.org", "too similar"),
        ("password1234", "too common"),
        ("x" * 1025, "1024 bytes"),
        ("雪" * 342, "1024 bytes"),
        ("snow in the\0morning", "control character"),
        ("snow in the\nmorning", "control character"),
        ("snow in the \udc80 morning", "control character"),
    ],
)
def test_a_weak_or_unsendable_password_is_refused_with_the_reason(account: Account, password: str, reason: str) -> None:
    with pytest.raises(ValidationError) as refused:
        passwords.check(password, account)
    assert reason in " ".join(refused.value.message_dict["password"])


@pytest.mark.parametrize("password", ["x1" * 512, "雪の朝に二の字二の字の下駄", "with space and ümlaut"])
def test_a_long_or_foreign_password_is_taken(account: Account, password: str) -> None:
    passwords.check(password, account)


def test_bytes_after_the_72nd_count() -> None:
    long = "k" * 100
    verifier = make_password(long)
    assert check_password(long, verifier)
    assert not check_password(long[:-1] + "x", verifier)


def test_a_null_byte_ends_nothing() -> None:
    assert not check_password("secret\0other", make_password("secret\0thing"))


def test_the_verifier_says_scheme_and_cost() -> None:
    verifier = make_password("snow in the morning")
    assert verifier.startswith(f"bcrypt_sha256$$2b${settings.BCRYPT_ROUNDS:02}$")


def test_the_product_hashes_at_cost_twelve() -> None:
    from mailadmin import settings as of_the_product

    assert of_the_product.BCRYPT_ROUNDS == 12


def test_a_verifier_of_another_cost_opens_and_is_to_be_renewed(settings: pytest.FixtureRequest) -> None:
    settings.BCRYPT_ROUNDS = 5  # type: ignore[attr-defined]  # pytest-django's settings wrapper
    verifier = make_password("snow in the morning")
    settings.BCRYPT_ROUNDS = 4  # type: ignore[attr-defined]  # see above
    assert "$2b$05$" in verifier
    assert check_password("snow in the morning", verifier)
    assert identify_hasher(verifier).must_update(verifier)
