"""One exchange from AUTH to its outcome: who gets in, and what the others learn."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smtpd.authenticate import Authenticator, Challenge, Failure, Success
from smtpd.hashing import Hashing
from smtpd.smtp import replies
from tests import cast
from tests.authenticate.household import Household, begin, plain, run, snapshot, verifier

BECKY, OLGA, SVEN, STRANGER = cast.BECKY, cast.OUTLOOK, cast.SUSPENDED, cast.STRANGER


@pytest.fixture(params=[False, True], ids=["at once", "by Future"])
def household(request: pytest.FixtureRequest) -> Household:
    return Household(later=request.param)


@pytest.fixture
def authenticator(household: Household) -> Iterator[Authenticator]:
    made = Authenticator(household)
    yield made
    made.close()


# --- who gets in --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("login", "authzid"),
    [
        (BECKY.address, ""),
        (BECKY.address.upper(), ""),
        (f" {BECKY.address}", ""),
        (BECKY.address, BECKY.address),
        (BECKY.address, BECKY.address.title()),
        ("ｉｃｈｉｒｏ@example.org", ""),
    ],
)
def test_the_right_password_signs_in_whatever_the_case(
    household: Household, authenticator: Authenticator, login: str, authzid: str
) -> None:
    step = asyncio.run(run(begin(authenticator), plain(login, BECKY.password, authzid)))
    assert step == Success(household.rows[BECKY.address])
    assert step.reply == replies.AUTH_OK


def test_login_asks_for_both(household: Household, authenticator: Authenticator) -> None:
    async def scene() -> None:
        attempt = begin(authenticator, "login")
        assert attempt.mechanism == "LOGIN"
        assert await run(attempt, None) == Challenge(b"334 VXNlcm5hbWU6\r\n")
        assert await run(attempt, base64.b64encode(OLGA.address.encode())) == Challenge(b"334 UGFzc3dvcmQ6\r\n")
        step = await run(attempt, base64.b64encode(OLGA.password.encode()))
        assert step == Success(household.rows[OLGA.address])

    asyncio.run(scene())


def test_plain_without_an_initial_response_gets_an_empty_challenge(authenticator: Authenticator) -> None:
    async def scene() -> None:
        attempt = begin(authenticator)
        assert await run(attempt, None) == Challenge(b"334 \r\n")
        assert isinstance(await run(attempt, plain(BECKY.address, BECKY.password)), Success)

    asyncio.run(scene())


def test_a_second_sign_in_is_answered_at_once_and_never_by_an_old_password(household: Household) -> None:
    household.later = False
    authenticator = Authenticator(household)

    async def scene() -> None:
        await run(begin(authenticator), plain(BECKY.address, BECKY.password))
        assert isinstance(begin(authenticator).step(plain(BECKY.address, BECKY.password)), Success)
        household.change(BECKY, verifier=verifier("another"), epoch=2)
        assert isinstance(await run(begin(authenticator), plain(BECKY.address, BECKY.password)), Failure)
        household.change(BECKY, verifier=verifier(BECKY.password), suspended=True)
        assert isinstance(await run(begin(authenticator), plain(BECKY.address, BECKY.password)), Failure)

    asyncio.run(scene())
    authenticator.close()


def test_a_password_beyond_ascii_is_tried_as_typed_and_in_its_prepared_form(
    household: Household, authenticator: Authenticator
) -> None:
    household.change(BECKY, verifier=verifier("がぎぐ-mikan"))
    for typed in ("がぎぐ-mikan", "か\u3099き\u3099く\u3099-mikan", "がぎぐ-ｍｉｋａｎ"):
        assert isinstance(asyncio.run(run(begin(authenticator), plain(BECKY.address, typed))), Success)
    household.change(BECKY, verifier=verifier("ｍｉｋａｎ"))
    assert isinstance(asyncio.run(run(begin(authenticator), plain(BECKY.address, "ｍｉｋａｎ"))), Success)
    step = asyncio.run(run(begin(authenticator), plain(BECKY.address, "か\u3099")))
    assert step == Failure("password", replies.AUTH_FAILED)


# --- who does not -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("login", "password", "authzid", "result", "known"),
    [
        (STRANGER.address, STRANGER.password, "", "unknown", False),
        ("bob", "x", "", "unknown", False),
        ("bob@", "x", "", "unknown", False),
        ("'; DROP TABLE accounts_account; --", "x", "", "unknown", False),
        (BECKY.address, OLGA.password, "", "password", True),
        (BECKY.address, BECKY.password + " ", "", "password", True),
        (SVEN.address, SVEN.password, "", "suspended", True),
        (SVEN.address, "wrong", "", "password", True),
        (BECKY.address, BECKY.password, OLGA.address, "malformed", True),
        (BECKY.address, "wrong", OLGA.address, "password", True),
        (BECKY.address, BECKY.password, "nobody", "malformed", True),
        (STRANGER.address, "x", BECKY.address, "unknown", False),
        (BECKY.address, "", "", "malformed", False),
        (BECKY.address, "x" * 1025, "", "malformed", False),
    ],
)
def test_every_failure_reads_the_same_and_only_the_event_says_which(
    authenticator: Authenticator, *, login: str, password: str, authzid: str, result: str, known: bool
) -> None:
    attempt = begin(authenticator)
    step = asyncio.run(run(attempt, plain(login, password, authzid)))
    assert step == Failure(result, b"535 5.7.8 The user name or the password is not right\r\n")  # type: ignore[arg-type]  # from the table
    assert (attempt.account is not None) == known
    assert attempt.login in {login, ""}


def test_an_account_without_a_usable_verifier_is_as_one_with_another_password(
    household: Household, authenticator: Authenticator
) -> None:
    household.change(BECKY, verifier="!unusable")
    step = asyncio.run(run(begin(authenticator), plain(BECKY.address, BECKY.password)))
    assert step == Failure("password", replies.AUTH_FAILED)


def test_a_second_guess_is_as_quick_for_an_unknown_name_as_for_a_known_one(household: Household) -> None:
    household.later = False
    authenticator = Authenticator(household)

    async def scene() -> None:
        logins = (BECKY.address, OLGA.address, STRANGER.address, "nobody@example.org", "nobody")
        for login in logins:  # the same password all over: no name may profit from another's hash
            first = begin(authenticator).step(plain(login, "a guess"))
            assert isinstance(first, asyncio.Future)
            assert isinstance(await first, Failure)
        for login in logins:
            for spelling in (login, login.upper()):
                assert isinstance(begin(authenticator).step(plain(spelling, "a guess")), Failure)

    asyncio.run(scene())
    authenticator.close()


@pytest.mark.parametrize(
    ("mechanism", "responses", "failure"),
    [
        ("PLAIN", [b"*"], Failure("malformed", replies.AUTH_BAD_BASE64)),
        ("PLAIN", [None, b"*"], Failure("aborted", replies.AUTH_ABORTED)),
        ("LOGIN", [None, b"*"], Failure("aborted", replies.AUTH_ABORTED)),
        ("LOGIN", [None, b"b2xnYQ==", b"*"], Failure("aborted", replies.AUTH_ABORTED)),
        ("PLAIN", [b"AAA"], Failure("malformed", replies.AUTH_BAD_BASE64)),
        ("PLAIN", [None, b"="], Failure("malformed", replies.AUTH_BAD_BASE64)),
        ("PLAIN", [b"="], Failure("malformed", replies.AUTH_MALFORMED)),
        ("PLAIN", [None, b""], Failure("malformed", replies.AUTH_MALFORMED)),
        ("PLAIN", [b"YWJj"], Failure("malformed", replies.AUTH_MALFORMED)),
        ("LOGIN", [b"=", b"!"], Failure("malformed", replies.AUTH_BAD_BASE64)),
    ],
)
def test_what_is_out_of_form_ends_the_exchange(
    authenticator: Authenticator, mechanism: str, responses: list[bytes | None], failure: Failure
) -> None:
    assert asyncio.run(run(begin(authenticator, mechanism), *responses)) == failure


def test_a_response_without_end_ends_the_exchange(authenticator: Authenticator) -> None:
    attempt = begin(authenticator)
    asyncio.run(run(attempt, None))
    assert attempt.line_too_long() == Failure("malformed", replies.AUTH_LINE_TOO_LONG)


# --- which mechanisms ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mechanism", "tls", "failure"),
    [
        ("PLAIN", False, Failure("tls-required", replies.AUTH_NEEDS_TLS)),
        ("LOGIN", True, Failure("mechanism", replies.AUTH_UNKNOWN_MECHANISM)),
        ("LOGIN", False, Failure("mechanism", replies.AUTH_UNKNOWN_MECHANISM)),
        ("CRAM-MD5", True, Failure("mechanism", replies.AUTH_UNKNOWN_MECHANISM)),
        ("", True, Failure("mechanism", replies.AUTH_UNKNOWN_MECHANISM)),
    ],
)
def test_a_mechanism_that_the_rules_forbid_does_not_begin(
    authenticator: Authenticator, mechanism: str, tls: bool, failure: Failure
) -> None:
    policy = snapshot(with_tls=["PLAIN", "CRAM-MD5"])
    assert authenticator.begin(mechanism, policy, tls=tls, source="192.0.2.1") == failure


def test_a_mechanism_may_be_allowed_in_the_clear(authenticator: Authenticator) -> None:
    policy = snapshot(without_tls=["LOGIN"])
    assert not isinstance(authenticator.begin("LOGIN", policy, tls=False, source="x"), Failure)


# --- trouble ------------------------------------------------------------------------------------------------------


def test_a_database_that_is_away_is_a_temporary_failure(household: Household, authenticator: Authenticator) -> None:
    household.trouble = OSError("secret DSN=postgres://u:p@h/db")
    step = asyncio.run(run(begin(authenticator), plain(BECKY.address, BECKY.password)))
    assert step == Failure("temporary", replies.AUTH_TEMPORARY)
    household.trouble = None
    assert isinstance(asyncio.run(run(begin(authenticator), plain(BECKY.address, BECKY.password))), Success)


def test_too_many_at_once_is_a_temporary_failure(household: Household) -> None:
    authenticator = Authenticator(household, Hashing(threads=1, per_source=2))

    async def scene() -> None:
        attempts = [run(begin(authenticator), plain(BECKY.address, f"guess {number}")) for number in range(5)]
        results = [step.result for step in await asyncio.gather(*attempts) if isinstance(step, Failure)]
        assert results.count("temporary") == 3
        assert results.count("password") == 2
        assert isinstance(await run(begin(authenticator), plain(BECKY.address, BECKY.password)), Success)

    asyncio.run(scene())
    authenticator.close()


def test_a_session_that_goes_away_does_not_stop_the_others(household: Household) -> None:
    household.later = True
    authenticator = Authenticator(household)

    async def scene() -> None:
        gone = begin(authenticator).step(plain(BECKY.address, BECKY.password))
        stays = begin(authenticator).step(plain(BECKY.address, BECKY.password))
        assert isinstance(gone, asyncio.Future)
        assert isinstance(stays, asyncio.Future)
        await asyncio.sleep(0)
        gone.cancel()
        assert isinstance(await stays, Success)

    asyncio.run(scene())
    authenticator.close()


SHARED = Authenticator(Household())
lines = st.one_of(
    st.none(),
    st.binary(max_size=40),
    st.binary(max_size=40).map(base64.b64encode),
    st.sampled_from([b"*", b"=", b"", plain(BECKY.address, "x"), plain(STRANGER.address, BECKY.password)]),
    st.sampled_from([BECKY.address, SVEN.address, SVEN.password]).map(lambda text: base64.b64encode(text.encode())),
    st.just(plain(SVEN.address, SVEN.password)),
)


@given(mechanism=st.sampled_from(["PLAIN", "LOGIN"]), responses=st.lists(lines, min_size=1, max_size=4))
def test_no_bytes_sign_in_or_raise(mechanism: str, responses: list[bytes | None]) -> None:
    async def scene() -> None:
        attempt = begin(SHARED, mechanism)
        for number, response in enumerate(responses):
            step = await run(attempt, response if number == 0 else response or b"")
            assert not isinstance(step, Success)
            if isinstance(step, Failure):
                assert step.reply[:3] in {b"501", b"535"}
                return

    asyncio.run(scene())
