"""Opening a session, as a dialogue without sockets."""

from __future__ import annotations

import base64

import pytest

from smtpd.smtp.client import Plan, open_session
from smtpd.smtp.client_actions import Trouble
from tests.cast import BECKY
from tests.delivery.dialogues import play

NAME = "mail.example.org"
HELLO = b"EHLO mail.example.org\r\n"
STARTTLS = b"250-mx\r\n250-STARTTLS\r\n250 PIPELINING"
AUTH = b"250-mx\r\n250 AUTH LOGIN PLAIN"


def test_a_server_that_knows_no_ehlo_gets_helo() -> None:
    session, sent = play(open_session(Plan(NAME, "none")), [b"220 mx", b"500 what?", b"250 mx"])
    assert sent == [HELLO, b"HELO mail.example.org\r\n"]
    assert not session.features.keywords


def test_helo_is_no_way_out_where_tls_is_demanded() -> None:
    with pytest.raises(Trouble) as met:
        play(open_session(Plan(NAME, "starttls")), [b"220 mx", b"500 what?"])
    assert met.value.stage == "connect"


def test_what_was_offered_before_tls_counts_for_nothing_after_it() -> None:
    session, sent = play(open_session(Plan(NAME, "starttls")), [b"220 mx", STARTTLS, b"220 go", b"250 mx"])
    assert sent == [HELLO, b"STARTTLS\r\n", b"<TLS>", HELLO]
    assert not session.features.keywords
    assert session.tls == "TLSv1.3 X"


def test_a_server_without_starttls_hears_no_password() -> None:
    plan = Plan(NAME, "starttls", BECKY.address, BECKY.password)
    sent: list[bytes] = []
    with pytest.raises(Trouble, match="does not offer STARTTLS") as met:
        play(open_session(plan), [b"220 mx", AUTH], sent=sent)
    assert (met.value.stage, met.value.verdict().outcome, met.value.verdict().enhanced) == ("tls", "deferred", "4.7.4")
    assert sent == [HELLO]


@pytest.mark.parametrize("tls", ["none", "opportunistic"])
def test_a_password_is_not_even_begun_without_demanded_tls(tls: str) -> None:
    with pytest.raises(Trouble, match="never sent in clear"):
        play(open_session(Plan(NAME, tls, BECKY.address, BECKY.password)), [])  # type: ignore[arg-type]  # parametrized


def test_opportunistic_tls_goes_on_in_clear_when_the_server_takes_its_offer_back() -> None:
    session, sent = play(open_session(Plan(NAME, "opportunistic")), [b"220 mx", STARTTLS, b"454 4.7.0 not now"])
    assert sent == [HELLO, b"STARTTLS\r\n"]
    assert "PIPELINING" in session.features


def test_plain_is_preferred_and_needs_one_command() -> None:
    plan = Plan(NAME, "implicit", BECKY.address, BECKY.password)
    _, sent = play(open_session(plan), [b"220 mx", AUTH, b"235 2.7.0 welcome"])
    response = base64.b64encode(f"\0{BECKY.address}\0{BECKY.password}".encode())
    assert sent == [HELLO, b"AUTH PLAIN " + response + b"\r\n"]


def test_login_is_used_where_nothing_else_is_offered() -> None:
    plan = Plan(NAME, "implicit", BECKY.address, BECKY.password)
    answers = [b"220 mx", b"250-mx\r\n250 AUTH LOGIN", b"334 x", b"334 y", b"235 welcome"]
    _, sent = play(open_session(plan), answers)
    assert [base64.b64decode(line) for line in sent[2:]] == [BECKY.address.encode(), BECKY.password.encode()]


def test_a_server_with_other_mechanisms_only_is_told_in_words() -> None:
    plan = Plan(NAME, "implicit", BECKY.address, BECKY.password)
    with pytest.raises(Trouble, match="wants GSSAPI XOAUTH2, we have PLAIN and LOGIN"):
        play(open_session(plan), [b"220 mx", b"250-mx\r\n250 AUTH XOAUTH2 GSSAPI"])


@pytest.mark.parametrize(
    ("reply", "enhanced"),
    [(b"535 5.7.8 no", "4.7.8"), (b"535 no", "4.7.8"), (b"454 4.7.0 later", "4.7.0"), (b"534 5.7.9 stronger", "4.7.9")],
)
def test_a_refused_password_defers_and_never_returns_mail(reply: bytes, enhanced: str) -> None:
    plan = Plan(NAME, "implicit", BECKY.address, BECKY.password)
    with pytest.raises(Trouble) as met:
        play(open_session(plan), [b"220 mx", AUTH, reply])
    assert not met.value.permanent
    verdict = met.value.verdict()
    assert (verdict.outcome, verdict.stage, verdict.enhanced) == ("deferred", "auth", enhanced)
    assert verdict.code == int(reply[:3])


def test_no_words_of_ours_hold_the_password() -> None:
    plan = Plan(NAME, "implicit", BECKY.address, BECKY.password)
    assert BECKY.password not in repr(plan)


def test_a_greeting_that_refuses_is_permanent_only_with_5xx() -> None:
    for greeting, permanent in ((b"554 5.7.1 go away", True), (b"421 4.3.2 busy", False)):
        with pytest.raises(Trouble) as met:
            play(open_session(Plan(NAME, "none")), [greeting])
        assert met.value.permanent is permanent


def test_lmtp_says_lhlo_and_nothing_older() -> None:
    with pytest.raises(Trouble):
        play(open_session(Plan(NAME, "none", lmtp=True)), [b"220 mx", b"500 what?"])
    _, sent = play(open_session(Plan(NAME, "none", lmtp=True)), [b"220 mx", b"250 mx"])
    assert sent == [b"LHLO mail.example.org\r\n"]
