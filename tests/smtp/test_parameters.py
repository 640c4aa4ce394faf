"""The parameters of MAIL and RCPT, by value."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smtpd.smtp import replies
from smtpd.smtp.parameters import (
    MailParameters,
    RcptParameters,
    decode_xtext,
    encode_xtext,
    mail_parameters,
    rcpt_parameters,
)
from smtpd.smtp.replies import Refused

LIMIT = 50_000_000


def mail_refusal(name: str, value: str | None) -> bytes:
    with pytest.raises(Refused) as refused:
        mail_parameters({name: value}, size_limit=LIMIT)
    return refused.value.reply


def rcpt_refusal(name: str, value: str | None) -> bytes:
    with pytest.raises(Refused) as refused:
        rcpt_parameters({name: value})
    return refused.value.reply


def test_without_parameters_the_defaults_hold() -> None:
    assert mail_parameters({}, size_limit=LIMIT) == MailParameters(0, "", smtputf8=False, ret="", envid="", auth=None)
    assert rcpt_parameters({}) == RcptParameters("", "")


def test_all_parameters_of_mail_are_read() -> None:
    raw = {"SIZE": "12", "BODY": "8bitmime", "SMTPUTF8": None, "RET": "hdrs", "ENVID": "Ab+2Bc", "AUTH": "a+40b"}
    assert mail_parameters(raw, size_limit=LIMIT) == MailParameters(
        12, "8BITMIME", smtputf8=True, ret="HDRS", envid="Ab+c", auth="a+40b"
    )


def test_size_is_held_to_the_limit() -> None:
    assert mail_parameters({"SIZE": str(LIMIT)}, size_limit=LIMIT).size == LIMIT
    assert mail_refusal("SIZE", str(LIMIT + 1)) == replies.message_too_big(LIMIT)
    assert mail_parameters({"SIZE": "9" * 20}, size_limit=0).size == 10**20 - 1


def test_auth_is_taken_as_of_rfc_4954() -> None:
    assert mail_parameters({"AUTH": "<>"}, size_limit=LIMIT).auth == ""
    assert mail_parameters({"AUTH": "<user@example.org>"}, size_limit=LIMIT).auth == "<user@example.org>"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SIZE", None),
        ("SIZE", "-1"),
        ("SIZE", "1e3"),
        ("SIZE", "9" * 21),
        ("SIZE", "１"),
        ("BODY", None),
        ("BODY", "BINARYMIME"),
        ("SMTPUTF8", "1"),
        ("RET", "ALL"),
        ("RET", None),
        ("ENVID", None),
        ("ENVID", "a+2"),
        ("ENVID", "a+0D+0Ab"),
        ("ENVID", "a+FF"),
        ("ENVID", "x" * 101),
        ("AUTH", None),
        ("AUTH", "a+"),
    ],
)
def test_a_wrong_value_of_mail_is_501(name: str, value: str | None) -> None:
    assert mail_refusal(name, value) == replies.bad_parameter(name)


@pytest.mark.parametrize("name", ["HOLDFOR", "BY", "XCLIENT", "NOTIFY", "REQUIRETLS"])
def test_what_mail_was_not_offered_is_555(name: str) -> None:
    assert mail_refusal(name, "1") == replies.unknown_parameter(name)
    assert mail_refusal(name, None).startswith(b"555 5.5.4 ")


@pytest.mark.parametrize(
    ("value", "notify"),
    [
        ("never", "NEVER"),
        ("SUCCESS", "SUCCESS"),
        ("delay,Failure,success", "SUCCESS,FAILURE,DELAY"),
    ],
)
def test_notify_comes_out_in_one_order(value: str, notify: str) -> None:
    assert rcpt_parameters({"NOTIFY": value}).notify == notify


@pytest.mark.parametrize(
    "orcpt",
    [
        "rfc822;Bob@example.org",
        "rfc822;a+2Bb@example.org",
        "x400;/C+3Dde",
        "UTF-8;田@例.jp",
        "rfc822;+E7+94+B0@example.net",  # as Postfix writes an address in UTF-8
    ],
)
def test_orcpt_stays_as_it_was_given(orcpt: str) -> None:
    assert rcpt_parameters({"ORCPT": orcpt}).orcpt == orcpt


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("NOTIFY", None),
        ("NOTIFY", ""),
        ("NOTIFY", "NEVER,SUCCESS"),
        ("NOTIFY", "SUCCESS,SUCCESS"),
        ("NOTIFY", "SUCCESS,"),
        ("ORCPT", None),
        ("ORCPT", "bob@example.org"),
        ("ORCPT", "rfc822;"),
        ("ORCPT", ";bob@example.org"),
        ("ORCPT", "rfc822;a+0Ab"),
        ("ORCPT", "rfc822;a+FFb"),
        ("ORCPT", "rfc822;田"),
        ("ORCPT", "utf-8;a\u2028b"),
        ("ORCPT", "utf-8;a+0Ab"),
        ("ORCPT", "rfc822;" + "x" * 500),
    ],
)
def test_a_wrong_value_of_rcpt_is_501(name: str, value: str | None) -> None:
    assert rcpt_refusal(name, value) == replies.bad_parameter(name)


def test_what_rcpt_was_not_offered_is_555() -> None:
    assert rcpt_refusal("SIZE", "1") == replies.unknown_parameter("SIZE")


@given(st.binary(max_size=200))
def test_xtext_comes_back_as_it_went(octets: bytes) -> None:
    text = encode_xtext(octets)
    assert decode_xtext(text) == octets
    assert all("!" <= character <= "~" and character != "=" for character in text)


@pytest.mark.parametrize("text", ["a+2b", "a=b", "a b", "+", "a+G0", "é"])
def test_what_is_not_xtext_is_not_decoded(text: str) -> None:
    with pytest.raises(ValueError, match="xtext"):
        decode_xtext(text)


NAMES = st.sampled_from(["SIZE", "BODY", "SMTPUTF8", "RET", "ENVID", "AUTH", "NOTIFY", "ORCPT", "X"])
VALUES = st.one_of(st.none(), st.text(max_size=20), st.from_regex(r"(rfc822|utf-8);[!-~+]*", fullmatch=True))


@given(st.dictionaries(NAMES, VALUES))
def test_no_values_do_anything_but_pass_or_be_refused(raw: dict[str, str | None]) -> None:
    try:
        parameters = mail_parameters(raw, size_limit=LIMIT)
    except Refused:
        pass
    else:
        assert parameters.envid.isprintable()
    try:
        recipient = rcpt_parameters(raw)
    except Refused:
        pass
    else:
        assert recipient.orcpt.isprintable()
