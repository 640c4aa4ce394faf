"""Paths of MAIL and RCPT: one reading, or none."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from smtpd.smtp import paths, replies
from smtpd.smtp.paths import Path, parse_mail, parse_rcpt
from smtpd.smtp.replies import Refused

LONGEST_LOCAL = "l" * 64
LONGEST_DOMAIN = ".".join(["d" * 61, "d" * 61, "d" * 62])  # with .jp and the longest local part: 254 octets
ATEXT = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+/=?^_`{|}~-"


def refusal(argument: bytes, *, smtputf8: bool = False) -> bytes:
    with pytest.raises(Refused) as refused:
        parse_rcpt(argument, smtputf8=smtputf8)
    return refused.value.reply


@pytest.mark.parametrize(
    ("written", "address"),
    [
        (b"<user@example.org>", "user@example.org"),
        (b"<User.Name@Example.ORG>", "User.Name@example.org"),
        (b" <user@example.org>", "user@example.org"),
        (b"<user@example.org>  ", "user@example.org"),
        (b"<a@localhost>", "a@localhost"),
        (b"<user+tag@xn--r8jz45g.jp>", "user+tag@xn--r8jz45g.jp"),
        (b"<r%extern@example.org>", "r%extern@example.org"),
        (b"<extern!r@example.org>", "extern!r@example.org"),
        (b'<"user"@example.org>', "user@example.org"),
        (b'<"us\\er"@example.org>', "user@example.org"),
        (b'<"a b"@example.org>', '"a b"@example.org'),
        (b'<"r@extern"@example.org>', '"r@extern"@example.org'),
        (b'<"a\\"b\\\\c"@example.org>', '"a\\"b\\\\c"@example.org'),
        (b'<"a..b"@example.org>', '"a..b"@example.org'),
        (b"<a@[192.0.2.1]>", "a@[192.0.2.1]"),
        (b"<a@[IPv6:2001:DB8:0:0::1]>", "a@[IPv6:2001:db8::1]"),
        (b"<a@[ipv6:::ffff:192.0.2.1]>", "a@[IPv6:::ffff:192.0.2.1]"),
        (f"<{LONGEST_LOCAL}@{LONGEST_DOMAIN}.jp>".encode(), f"{LONGEST_LOCAL}@{LONGEST_DOMAIN}.jp"),
    ],
)
def test_an_address_is_read_into_one_form(written: bytes, address: str) -> None:
    path, parameters = parse_rcpt(b"TO:" + written)
    local, _, domain = address.rpartition("@")
    assert path == Path(address, local, domain, utf8=False)
    assert parameters == {}


@pytest.mark.parametrize(
    ("written", "reply"),
    [
        (b"user@example.org", replies.RCPT_SYNTAX),
        (b"<user@example.org", replies.RCPT_SYNTAX),
        (b"", replies.RCPT_SYNTAX),
        (b"<>", replies.NULL_RECIPIENT),
        (b"<@a,@b:user@example.org>", replies.SOURCE_ROUTE),
        (b"<@[192.0.2.1]:r@extern.example>", replies.SOURCE_ROUTE),
        (b"<user(comment)@example.org>", replies.BAD_RECIPIENT_ADDRESS),
        (b"<user@(comment)example.org>", replies.BAD_RECIPIENT_ADDRESS),
        (b"<r@extern@example.org>", replies.BAD_RECIPIENT_ADDRESS),
        (b"<user@example.org>x", replies.BAD_RECIPIENT_ADDRESS),
        (b"<user@example.org> <x@y.z>", replies.PARAMETER_SYNTAX),
        (b"<user@example.org,other@example.org>", replies.BAD_RECIPIENT_ADDRESS),
        (b"<user @example.org>", replies.BAD_RECIPIENT_ADDRESS),
        (b"< user@example.org>", replies.BAD_RECIPIENT_ADDRESS),
        (b"<user@example.org >", replies.BAD_RECIPIENT_ADDRESS),
        (b"<user@example.org.>", replies.BAD_RECIPIENT_ADDRESS),
        (b"<user@.example.org>", replies.BAD_RECIPIENT_ADDRESS),
        (b"<user@example..org>", replies.BAD_RECIPIENT_ADDRESS),
        (b"<user@-example.org>", replies.BAD_RECIPIENT_ADDRESS),
        (b"<user@>", replies.BAD_RECIPIENT_ADDRESS),
        (b"<@example.org>", replies.SOURCE_ROUTE),
        (b'<"r@extern"@>', replies.BAD_RECIPIENT_ADDRESS),
        (b'<""@example.org>', replies.BAD_RECIPIENT_ADDRESS),
        (b'<"a"b@example.org>', replies.BAD_RECIPIENT_ADDRESS),
        (b"<.user@example.org>", replies.BAD_RECIPIENT_ADDRESS),
        (b"<user.@example.org>", replies.BAD_RECIPIENT_ADDRESS),
        (b"<us..er@example.org>", replies.BAD_RECIPIENT_ADDRESS),
        (b"<user>", replies.BAD_RECIPIENT_ADDRESS),
        (b"<user@192.0.2.1>", replies.BAD_RECIPIENT_ADDRESS),
        (b"<user@[192.0.2.1>", replies.BAD_RECIPIENT_ADDRESS),
        (b"<user@[192.0.2.256]>", replies.BAD_RECIPIENT_ADDRESS),
        (b"<user@[192.0.2.01]>", replies.BAD_RECIPIENT_ADDRESS),
        (b"<user@[2001:db8::1]>", replies.BAD_RECIPIENT_ADDRESS),
        (b"<user@[IPv6:fe80::1%eth0]>", replies.BAD_RECIPIENT_ADDRESS),
        (b"<user@[tag:x]>", replies.BAD_RECIPIENT_ADDRESS),
        (b"<user@exam\0ple.org>", replies.CONTROL_CHARACTER),
        (b"<user@example.org\0.net>", replies.CONTROL_CHARACTER),
        (b"<us\ter@example.org>", replies.CONTROL_CHARACTER),
        (b"<us\x7fer@example.org>", replies.CONTROL_CHARACTER),
        (b"<user@example.org> NOTIFY=NEVER\n", replies.CONTROL_CHARACTER),
        (b"<us\xe9r@example.org>", replies.BAD_UTF8),
        (b"<" + b"l" * 65 + b"@example.org>", replies.ADDRESS_TOO_LONG),
        (b"<a" + LONGEST_LOCAL[1:].encode() + b"@" + LONGEST_DOMAIN.encode() + b".jpx>", replies.ADDRESS_TOO_LONG),
        (b"<a@" + b"d" * 64 + b".org>", replies.BAD_RECIPIENT_ADDRESS),
    ],
)
def test_what_is_not_one_plain_address_is_refused_in_words(written: bytes, reply: bytes) -> None:
    assert refusal(b"TO:" + written) == reply


@pytest.mark.parametrize(
    "argument", [b"<user@example.org>", b"FROM:<user@example.org>", b"TO <user@example.org>", b"T"]
)
def test_the_keyword_is_needed(argument: bytes) -> None:
    assert refusal(argument) == replies.RCPT_SYNTAX


def test_the_keyword_is_read_in_any_case() -> None:
    assert parse_mail(b"fRoM:<a@example.org>")[0].address == "a@example.org"
    assert parse_rcpt(b"to:<a@example.org>")[0].address == "a@example.org"


def test_the_null_path_is_a_sender_only() -> None:
    path, parameters = parse_mail(b"FROM:<> SIZE=10")
    assert path == Path("", "", "", utf8=False)
    assert parameters == {"SIZE": "10"}


def test_postmaster_without_a_domain_is_a_recipient_only() -> None:
    assert parse_rcpt(b"TO:<PostMaster> NOTIFY=NEVER") == (
        Path("postmaster", "postmaster", "", utf8=False),
        {"NOTIFY": "NEVER"},
    )
    with pytest.raises(Refused) as refused:
        parse_mail(b"FROM:<postmaster>")
    assert refused.value.reply == replies.BAD_SENDER_ADDRESS


# --- UTF-8 (RFC 6531) ------------------------------------------------------------------------------------------------


def test_an_address_beyond_ascii_needs_smtputf8() -> None:
    path, _ = parse_mail("FROM:<田中@例え.jp> SMTPUTF8".encode())
    assert path == Path("田中@xn--r8jz45g.jp", "田中", "xn--r8jz45g.jp", utf8=True)
    with pytest.raises(Refused) as refused:
        parse_mail("FROM:<田中@例え.jp>".encode())
    assert refused.value.reply == replies.NEEDS_SMTPUTF8
    written = "TO:<user@例え.jp>".encode()
    assert parse_rcpt(written, smtputf8=True)[0] == Path("user@xn--r8jz45g.jp", "user", "xn--r8jz45g.jp", utf8=True)
    assert refusal(written) == replies.NEEDS_SMTPUTF8


@pytest.mark.parametrize("character", ["\u0085", "\u2028", "\u202e", "\u3000", "\ufeff"])
def test_invisible_characters_are_refused_even_with_smtputf8(character: str) -> None:
    for written in (f"TO:<a{character}b@example.org>", f"TO:<a@example.org{character}>"):
        assert refusal(written.encode(), smtputf8=True) == replies.BAD_RECIPIENT_ADDRESS


# --- parameters ------------------------------------------------------------------------------------------------------


def test_parameter_names_are_folded_and_values_kept() -> None:
    _, parameters = parse_mail(b"FROM:<a@example.org> size=10  Envid=AbC+2B smtputf8 MT-PRIORITY=-3 AUTH=<>")
    assert parameters == {"SIZE": "10", "ENVID": "AbC+2B", "SMTPUTF8": None, "MT-PRIORITY": "-3", "AUTH": "<>"}


def test_a_parameter_that_comes_twice_is_refused() -> None:
    assert refusal(b"TO:<a@example.org> NOTIFY=NEVER notify=DELAY") == replies.unknown_parameter("NOTIFY")


@pytest.mark.parametrize("rest", [b"=x", b"A=", b"A==", b"-A=1", b"A=b=c", b"A_B=1"])
def test_a_parameter_out_of_form_is_refused(rest: bytes) -> None:
    assert refusal(b"TO:<a@example.org> " + rest) == replies.PARAMETER_SYNTAX


# --- fuzzing ---------------------------------------------------------------------------------------------------------

pieces = st.one_of(
    st.sampled_from(
        [b"<", b">", b"@", b'"', b"\\", b".", b"[", b"]", b"IPv6:", b":", b",", b" ", b"a", b"example.org", b"(", b")"]
    ),
    st.sampled_from([b"SIZE=1", b"SMTPUTF8", b"=", b"\0", b"\r", b"\xc3\xa9", b"\xff", "例え".encode(), b"192.0.2.1"]),
    st.binary(max_size=4),
)
arguments = st.one_of(st.binary(max_size=300), st.lists(pieces, max_size=20).map(b"".join))


@given(argument=arguments, keyword=st.sampled_from([b"", b"FROM:", b"TO:", b"FROM:<", b"TO:<"]))
@example(argument=b"<" * 300, keyword=b"TO:")
def test_no_bytes_do_anything_but_parse_or_be_refused(argument: bytes, keyword: bytes) -> None:
    for parse in (parse_mail, parse_rcpt):
        try:
            path, _ = parse(keyword + argument)
        except Refused:
            continue
        assert path.address == (f"{path.local}@{path.domain}" if path.domain else path.local)
        assert not any(character in path.address for character in "\r\n\0")


@given(argument=arguments)
def test_what_was_read_reads_the_same_again(argument: bytes) -> None:
    try:
        path, _ = parse_rcpt(b"TO:<" + argument, smtputf8=True)
    except Refused:
        return
    again, _ = parse_rcpt(f"TO:<{path.address}>".encode(), smtputf8=True)
    assert again[:3] == path[:3]
    assert path.address.rpartition("@")[2] == path.domain or not path.domain


@given(
    local=st.lists(st.text(ATEXT, min_size=1, max_size=8), min_size=1, max_size=3).map(".".join),
    domain=st.lists(st.from_regex(r"[a-z0-9_-]{1,5}", fullmatch=True), min_size=1, max_size=4).map(".".join),
    rest=st.sampled_from([b"", b" SIZE=5", b" BODY=8BITMIME SIZE=1", b" X", b"x"]),
)
def test_the_short_way_and_the_long_way_agree(local: str, domain: str, rest: bytes) -> None:
    argument = f"FROM:<{local}@{domain}>".encode() + rest
    common = paths._common(argument, b"FROM")
    try:
        text = paths._text(argument, "FROM:", replies.MAIL_SYNTAX)
        complete = paths._mailbox(text, replies.MAIL_SYNTAX, replies.BAD_SENDER_ADDRESS)
    except Refused:
        assert common is None
        return
    assert common is None or common == complete
