"""The addresses of From: every one of them, in whatever form old and new mailers write them."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from smtpd.smtp.mailboxes import UnreadableError, _readings, addresses

OWN = "hanako@example.org"


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (b" hanako@example.org", [OWN]),
        (b" <hanako@example.org>\r\n", [OWN]),
        (b" Hanako Sato <Hanako@Example.ORG>", [OWN]),
        (b' "Sato, Hanako" <hanako@example.org>', [OWN]),
        (b' "Sato \\"H\\" <eve@example.net>" <hanako@example.org>', [OWN]),
        (b" hanako@example.org (Hanako (the elder) Sato)", [OWN]),
        (b" (eve@example.net) hanako@example.org", [OWN]),
        (b"\r\n Hanako\r\n\t<hanako@example.org>", [OWN]),
        (b" hanako (x) . sato @ example . org", ["hanako.sato@example.org"]),
        (b' "hanako"@example.org', [OWN]),
        (b' "han\\ako"@example.org', [OWN]),
        (b" J. Random User <hanako@example.org>", [OWN]),
        (b" =?utf-8?Q?Sato,_Hanako?= <hanako@example.org>", [OWN]),
        (b" =?ISO-2022-JP?B?GyRCOjRGIxsoQg==?= <hanako@example.org>", [OWN]),
        (b" a@example.org, B <b@example.org>,, c@example.org,", [f"{name}@example.org" for name in "abc"]),
        (b" Family: a@example.org, B <b@example.org>;, c@example.org", [f"{name}@example.org" for name in "abc"]),
        (b" A <a@example.org>, A again <A@EXAMPLE.org>", ["a@example.org"]),
        (b" a@example.org <b@example.org>", ["a@example.org", "b@example.org"]),
        ("田中 <田中@例え.jp>".encode(), ["田中@xn--r8jz45g.jp"]),
        (b" <user+tag@example.org>", ["user+tag@example.org"]),
    ],
)
def test_all_addresses_are_found_in_normal_form(value: bytes, found: list[str]) -> None:
    assert addresses(value) == found


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b" ",
        b" Hanako Sato",
        b" <>",
        b" undisclosed-recipients:;",
        b" hanako@example.org x",
        b" <hanako@example.org> x",
        b" <hanako@example.org> <eve@example.net>",
        b" <hanako@example.org",
        b" hanako@example.org>",
        b' "Hanako <hanako@example.org>',
        b" (Hanako hanako@example.org",
        b" Hanako) <hanako@example.org>",
        b" hanako@eve@example.org",
        b" <@example.net:hanako@example.org>",
        b" hanako sato@example.org",
        b" hanako..sato@example.org",
        b" .hanako@example.org",
        b" hanako@example..org",
        b" hanako@[192.0.2.1]",
        b' "hanako sato"@example.org',
        b' "eve@example.net"@example.org',
        b" hanako@example.org;",
        b" A: B: hanako@example.org;;",
        b" a@example.org: hanako@example.org;",
        b" hanako\\@example.org",
        b" hanako@example.org, eve",
        b" <hanako@example.org>, Eve <eve>",
        b" <" + b"h" * 65 + b"@example.org>",
        b" <h@" + b"d" * 64 + b".org>",
        b" <hanako@exa\xffmple.org>",
        "<hana\u202eko@example.org>".encode(),
        b",".join([b"a%d@example.org" % number for number in range(1001)]),
    ],
)
def test_what_cannot_be_read_whole_is_not_guessed_at(value: bytes) -> None:
    with pytest.raises(UnreadableError):
        addresses(value)


# In the old Japanese encodings a byte of a kanji can be a quote, a backslash, a bracket or an at sign.
@pytest.mark.parametrize("name", ["佐藤花子", "予算表", "ソフトウェア十能", "ア゛表"])
@pytest.mark.parametrize("encoding", ["iso-2022-jp", "shift_jis", "euc-jp", "utf-8"])
@pytest.mark.parametrize("form", ["%s <hanako@example.org>", '"%s" <hanako@example.org>', "hanako@example.org (%s)"])
def test_raw_japanese_names_do_not_hide_the_address(name: str, encoding: str, form: str) -> None:
    assert addresses(b" " + (form % name).encode(encoding)) == [OWN]


def test_half_width_kana_of_one_byte_do_not_hide_the_address() -> None:
    assert addresses(b' \x1b(I1"<@>,\x1b(B <hanako@example.org>') == [OWN]


def test_every_byte_pair_of_iso_2022_jp_is_taken_for_a_character() -> None:
    for first in range(0x21, 0x7F):
        kanji = b"".join(bytes((first, second)) for second in range(0x21, 0x7F))
        assert OWN in addresses(b" \x1b$B" + kanji + b"\x1b(B <hanako@example.org>")


def test_where_readers_differ_every_reading_counts() -> None:
    # 0x81 0x5C is one character of Shift_JIS, and an escaped quote to those who do not know that.
    value = b' "\x81\x5c" <hanako@example.org>, "x\x81\x5c" <eve@example.net>'
    assert {"hanako@example.org", "eve@example.net"} <= set(addresses(value))
    # To a reader of bytes, 0x3C opens a bracket inside the kanji.
    assert "eve@example.net" in addresses(b" \x1b$B!<eve@example.net>,\x1b(B <hanako@example.org>")


def test_an_encoded_word_that_holds_an_address_is_no_single_word() -> None:
    with pytest.raises(UnreadableError):
        addresses(b" =?utf-8?Q?<eve@example.net>?= <hanako@example.org>")


atoms = st.sampled_from(
    [b"hanako", b"@", b"example.org", b"<", b">", b'"', b"\\", b",", b":", b";", b"(", b")", b".", b" ", b"\r\n\t"]
)
odd = st.sampled_from(
    [b"\x1b$B", b"\x1b(B", b"\x81", b"\x5c", b"\xff", b"=?x?Q?", b"?=", b"[", b"]", b"\0", "例".encode()]
)


@given(st.one_of(st.binary(max_size=200), st.lists(st.one_of(atoms, odd), max_size=40).map(b"".join)))
@example(b"(" * 5000)
@example(b'"\\' * 5000)
@example(b"a@b.c," * 5000)
@example(b"=?x?Q?" * 5000)
@example(b"a." * 5000 + b"@example.org")
@example(b" " * 5000 + b"<")
def test_no_bytes_do_anything_but_give_addresses_or_be_unreadable(value: bytes) -> None:
    try:
        found = addresses(value)
    except UnreadableError:
        return
    assert found
    assert all(address.rpartition("@")[0] and address == address.strip() for address in found)


@given(
    name=st.text(st.characters(codec="iso-2022-jp", min_codepoint=0x3041, max_codepoint=0x9FA0), max_size=10),
    encoding=st.sampled_from(["iso-2022-jp", "shift_jis", "euc-jp", "utf-8"]),
)
def test_the_owner_is_among_the_addresses_of_any_japanese_name(name: str, encoding: str) -> None:
    try:
        raw = name.encode(encoding)
    except UnicodeEncodeError:
        return
    assert addresses(raw + b" <hanako@example.org>")[-1:] == [OWN]


def test_the_common_form_has_one_reading() -> None:
    assert list(_readings(b" Hanako <hanako@example.org>")) == [" Hanako <hanako@example.org>"]
