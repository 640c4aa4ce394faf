"""What the server says: codes, form, and that nothing from outside can change either."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smtpd.smtp import replies
from tests.ground.checkout import ROOT

CONSTANTS = {name: value for name, value in vars(replies).items() if name.isupper() and isinstance(value, bytes)}
LINE = re.compile(rb"(?P<code>[2-5][0-9]{2}) (?P<class>[245])\.[0-9]{1,3}\.[0-9]{1,3} [ -~]+\r\n")
WITHOUT_ENHANCED_CODE = {"START_DATA"}  # RFC 2034 §4: 220, 250 of EHLO, 334 and 354 have none
ECHOES = {
    "sender_not_owned": replies.sender_not_owned,
    "from_not_owned": replies.from_not_owned,
    "no_such_mailbox": replies.no_such_mailbox,
    "unknown_parameter": replies.unknown_parameter,
    "bad_parameter": replies.bad_parameter,
    "fault": replies.fault,
}


@pytest.mark.parametrize("name", sorted(set(CONSTANTS) - WITHOUT_ENHANCED_CODE))
def test_a_reply_is_one_line_with_an_enhanced_code_of_its_class(name: str) -> None:
    reply = CONSTANTS[name]
    match = LINE.fullmatch(reply)
    assert match is not None
    assert match["code"][:1] == match["class"]
    assert len(reply) <= 512


def test_each_reply_is_said_somewhere_and_its_codes_are_in_the_documents() -> None:
    module = Path(replies.__file__)
    sources = [path.read_text() for path in (ROOT / "smtpd").rglob("*.py") if path != module]
    said = set(re.findall(r"replies\.(\w+)", "\n".join(sources)))
    functions = {name for name, value in vars(replies).items() if getattr(value, "__module__", "") == replies.__name__}
    assert {*CONSTANTS, *functions} - said - {"line", "printable", "Refused"} == set()
    documented = (ROOT / "docs/submission-rules.md").read_text()
    codes = {
        tuple(reply.decode().split()[:2]) for name, reply in CONSTANTS.items() if name not in WITHOUT_ENHANCED_CODE
    }
    codes |= {tuple(reply("x").decode().split()[:2]) for reply in ECHOES.values()}
    assert {f"{code} {enhanced}" for code, enhanced in codes if f"| {code} {enhanced} |" not in documented} == set()


def test_each_reply_stands_once() -> None:
    assert len(set(CONSTANTS.values())) == len(CONSTANTS)


@pytest.mark.parametrize("name", sorted(ECHOES))
@given(text=st.text(max_size=600))
def test_what_the_client_sent_cannot_split_or_stretch_a_reply(name: str, text: str) -> None:
    reply = ECHOES[name](text)
    assert LINE.fullmatch(reply) is not None
    assert len(reply) <= 512


def test_a_refused_sender_is_named_and_the_person_told_what_to_do() -> None:
    for reply in (replies.sender_not_owned("eve@example.net"), replies.from_not_owned("eve@example.net")):
        assert reply.startswith(b"553 5.7.1 ")
        assert b"<eve@example.net>" in reply
        assert b"choose one of your own addresses" in reply


def test_the_longest_address_is_named_in_full() -> None:
    address = "a" * 64 + "@" + "b" * 186 + ".jp"
    assert address.encode() in replies.sender_not_owned(address)


def test_all_lines_of_ehlo_but_the_last_have_a_hyphen() -> None:
    assert replies.ehlo("mx.example.org", ["SIZE 10", "AUTH PLAIN", "HELP"]) == (
        b"250-mx.example.org\r\n250-SIZE 10\r\n250-AUTH PLAIN\r\n250 HELP\r\n"
    )
    assert replies.ehlo("mx.example.org", []) == b"250 mx.example.org\r\n"


def test_an_empty_challenge_is_334_and_a_space() -> None:
    assert replies.challenge(b"") == b"334 \r\n"
    assert replies.challenge(b"Username:") == b"334 VXNlcm5hbWU6\r\n"


def test_other_replies_have_their_form() -> None:
    assert replies.banner("mx.example.org") == b"220 mx.example.org ESMTP mailadmin\r\n"
    assert replies.queued("00abc") == b"250 2.0.0 Queued as 00abc\r\n"
    assert replies.message_too_big(1000).startswith(b"552 5.3.4 ")
    assert replies.chunk_taken(5) == b"250 2.0.0 5 octets received\r\n"


def test_a_refusal_carries_its_reply() -> None:
    refused = replies.Refused(replies.LOOP)
    assert refused.reply == replies.LOOP
    assert str(refused).startswith("554 5.4.6")
