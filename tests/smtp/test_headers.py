"""The header block: what is found in it, what is mended, and that no other octet is touched."""

from __future__ import annotations

import email
import email.policy
import time
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smtpd.smtp import replies
from smtpd.smtp.headers import inspect
from smtpd.smtp.replies import Refused

FROM = b"From: Hanako <hanako@example.org>\r\n"
DATE = b"Date: Tue, 24 Nov 2026 22:19:58 +0000\r\n"
ID = b"Message-ID: <1@example.org>\r\n"
END = b"\r\n"
PREPEND = b"Received: by mx.example.org (mailadmin) with ESMTPSA id 00abc;\r\n\tTue, 24 Nov 2026 22:20:00 +0000\r\n"
NEW_DATE = b"Tue, 24 Nov 2026 22:20:00 +0000"
NEW_ID = b"<00abc@mx.example.org>"


def fixed(block: bytes) -> bytes:
    return inspect(block).fixed(PREPEND, NEW_DATE, NEW_ID)


def refusal(block: bytes) -> bytes:
    with pytest.raises(Refused) as refused:
        inspect(block)
    return refused.value.reply


# --- what is found ------------------------------------------------------------------------------------------------


def test_the_fields_that_matter_are_found() -> None:
    block = (
        b"Received: from a\r\n\tby b;\r\n\tdate\r\nreceived: from c\r\n"
        + FROM
        + b"Sender: secretary@example.org\r\n"
        + DATE
    )
    found = inspect(block + ID + END)
    assert found.from_addresses == ["hanako@example.org"]
    assert found.sender_addresses == ["secretary@example.org"]
    assert found.received_count == 2
    assert found.has_date
    assert found.message_id == "<1@example.org>"


def test_names_are_read_in_any_case_with_space_before_the_colon() -> None:
    found = inspect(b"FROM \t: hanako@example.org\r\nmessage-id:<x@y>\r\ndAtE :x\r\n" + END)
    assert (found.from_addresses, found.message_id, found.has_date) == (["hanako@example.org"], "<x@y>", True)


def test_names_that_only_begin_or_end_alike_are_others() -> None:
    found = inspect(
        FROM + b"X-From: eve@example.net\r\nFrom-X: eve\r\nDated: x\r\nX-Bcc: a\r\nReceived-SPF: x\r\n" + END
    )
    assert found.from_addresses == ["hanako@example.org"]
    assert (found.has_date, found.received_count) == (False, 0)


def test_a_field_in_the_body_is_no_field() -> None:
    assert inspect(FROM + END).received_count == 0
    block = FROM + b"this is no field\r\nFrom: eve@example.net\r\nReceived: x\r\n" + END
    found = inspect(block)
    assert found.from_addresses == ["hanako@example.org"]
    assert found.received_count == 0


def test_who_sent_it_again_counts_as_a_sender() -> None:
    block = b"Resent-From: a@example.org\r\nResent-Sender: b@example.org\r\nResent-From: old@example.net\r\n" + FROM
    assert inspect(block + END).sender_addresses == ["a@example.org", "b@example.org"]


@pytest.mark.parametrize(
    ("field", "message_id"),
    [
        (b"Message-ID: <a@b> (comment)\r\n", "<a@b>"),
        (b"Message-ID:\r\n <a@b>\r\n", "<a@b>"),
        (b"Message-ID: bare\r\n", "bare"),
        (b"Message-ID: \r\n", ""),
        (b"Message-ID: <\xff\x1b@b>\r\n", "<??@b>"),
    ],
)
def test_a_message_id_is_noted_in_printable_ascii_and_never_replaced(field: bytes, message_id: str) -> None:
    found = inspect(FROM + field + END)
    assert found.message_id == message_id
    assert found.fixed(b"", NEW_DATE, NEW_ID) == b"Date: " + NEW_DATE + b"\r\n" + FROM + field + END


def test_a_message_id_is_noted_with_at_most_255_characters() -> None:
    assert len(inspect(FROM + b"Message-ID: <" + b"x" * 900 + b">\r\n" + END).message_id) == 255


# --- what is refused ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("block", "reply"),
    [
        (b"Subject: x\r\n" + END, replies.NO_FROM),
        (END, replies.NO_FROM),
        (b"", replies.NO_FROM),
        (b"no header at all\r\n", replies.NO_FROM),
        (b"From hanako Tue Nov 24 22:19:58 2026\r\n" + FROM + END, replies.NO_FROM),
        (b" folded\r\n" + FROM + END, replies.NO_FROM),
        (FROM + FROM + END, replies.SEVERAL_FROM),
        (FROM + b"fRoM :eve@example.net\r\n" + END, replies.SEVERAL_FROM),
        (FROM + b" \r\nFrom: eve@example.net\r\n" + END, replies.SEVERAL_FROM),
        (FROM + b"Sender: a@example.org\r\nSender: b@example.org\r\n" + END, replies.SEVERAL_SENDER),
        (b"From:\r\n" + END, replies.UNREADABLE_FROM),
        (b"From: Hanako\r\n" + END, replies.UNREADABLE_FROM),
        (b"From: <hanako@example.org> eve@example.net\r\n" + END, replies.UNREADABLE_FROM),
        (FROM + b"Sender: nobody\r\n" + END, replies.UNREADABLE_SENDER),
        (FROM + b"Resent-From: nobody\r\n" + END, replies.UNREADABLE_SENDER),
        (FROM + b"Subject: a\0b\r\n" + END, replies.HEADER_NUL),
    ],
)
def test_a_submission_that_does_not_say_who_sent_it_is_refused(block: bytes, reply: bytes) -> None:
    assert refusal(block) == reply


def test_mail_from_other_servers_is_counted_and_not_judged() -> None:
    block = b"Received: x\r\n" + FROM + FROM + b"Sender: nobody\r\nBcc: a@example.org\r\nReturn-Path: <x@y>\r\n" + END
    found = inspect(block, submission=False)
    assert found.received_count == 1
    assert found.relayed(PREPEND) == PREPEND + block
    with pytest.raises(Refused):
        inspect(b"Subject: a\0b\r\n\r\n", submission=False)


# --- what is mended -----------------------------------------------------------------------------------------------


def test_date_and_message_id_are_added_when_missing() -> None:
    added = b"Date: " + NEW_DATE + b"\r\nMessage-ID: " + NEW_ID + b"\r\n"
    assert fixed(FROM + END) == PREPEND + added + FROM + END


def test_date_and_message_id_are_kept_when_there() -> None:
    assert fixed(FROM + DATE + ID + END) == PREPEND + FROM + DATE + ID + END


@pytest.mark.parametrize(
    "field",
    [
        b"Bcc: eve@example.net\r\n",
        b"bCC\t: eve@example.net,\r\n adam@example.net,\r\n\tx@example.net\r\n",
        b"Bcc:\r\n",
        b"Bcc:\r\n eve@example.net\r\n",
        b"Resent-Bcc: eve@example.net\r\n",
        b"Return-Path: <eve@example.net>\r\n",
    ],
)
def test_hidden_recipients_and_return_path_are_left_out_wherever_they_stand(field: bytes) -> None:
    rest = FROM + DATE + ID
    for block in (field + rest, FROM + field + DATE + ID, rest + field, field + field + rest + field):
        assert fixed(block + END) == PREPEND + rest + END
        assert fixed(block) == PREPEND + rest


def test_a_header_without_a_body_needs_no_blank_line() -> None:
    assert fixed(FROM + DATE + ID) == PREPEND + FROM + DATE + ID


def test_a_last_line_without_an_end_is_kept_and_may_be_left_out() -> None:
    assert fixed(FROM + DATE + ID + b"Subject: x") == PREPEND + FROM + DATE + ID + b"Subject: x"
    assert fixed(FROM + DATE + ID + b"Bcc: x") == PREPEND + FROM + DATE + ID


@pytest.mark.parametrize("line", [b"hello\r\n", b": x\r\n", b"two words: x\r\n", b"Sub\xffject: x\r\n", b">From x\r\n"])
def test_a_line_that_is_no_field_begins_the_body_and_nothing_is_moved(line: bytes) -> None:
    rest = line + b"Bcc: in the body\r\n" + END
    assert fixed(FROM + DATE + ID + rest) == PREPEND + FROM + DATE + ID + END + rest
    assert inspect(rest, submission=False).relayed(PREPEND) == PREPEND + END + rest


def test_a_line_of_white_space_does_not_end_the_header() -> None:
    block = FROM + b"Subject: x\r\n \t\r\n" + DATE + ID + b"Bcc: eve@example.net\r\n \r\n" + END
    assert fixed(block) == PREPEND + FROM + b"Subject: x\r\n \t\r\n" + DATE + ID + END


@pytest.mark.parametrize("encoding", ["iso-2022-jp", "shift_jis", "euc-jp", "utf-8"])
def test_japanese_in_any_encoding_passes_octet_for_octet(encoding: str) -> None:
    text = "予算表ソ〜十".replace("〜", "能").encode(encoding)
    kept = b"From: " + text + b" <hanako@example.org>\r\nSubject: " + text + b"\r\n " + text + b"\r\n" + DATE + ID
    assert fixed(kept + b"Bcc: " + text + b"\r\n " + text + b"\r\n" + END) == PREPEND + kept + END


odd_values = st.one_of(
    st.binary(max_size=40),
    st.text(max_size=20).map(str.encode),
    st.sampled_from([b" \x1b$BF|K\x5c8l\x1b(B", b"x" * 2000, b"\t=?utf-8?q?a?="]),
).map(lambda value: value.translate(None, b"\r\n\0"))
names = st.sampled_from([b"Subject", b"X-Mailer", b"To", b"Content-Type", b"x", b"DKIM-Signature", b"Cc ", b"Fromm"])
folded = st.lists(odd_values, min_size=1, max_size=3).map(b"\r\n ".join)
others = st.tuples(names, folded).map(lambda field: field[0] + b":" + field[1] + b"\r\n")
hidden = st.tuples(st.sampled_from([b"Bcc", b"bcc \t", b"RESENT-BCC", b"Return-Path"]), folded).map(
    lambda field: field[0] + b":" + field[1] + b"\r\n"
)


@given(
    fields=st.lists(st.one_of(others.map(lambda f: (f, True)), hidden.map(lambda f: (f, False))), max_size=12),
    end=st.sampled_from([b"", b"\r\n", b"no field\r\n\r\n"]),
)
def test_every_octet_that_is_not_left_out_stays_in_its_place(fields: list[tuple[bytes, bool]], end: bytes) -> None:
    block = FROM + b"".join(field for field, _ in fields) + DATE + ID + end
    kept = FROM + b"".join(field for field, stays in fields if stays) + DATE + ID
    assert fixed(block) == PREPEND + kept + (b"\r\n" if end.startswith(b"no") else b"") + end


lines = st.one_of(
    others,
    hidden,
    st.sampled_from([FROM, b"From: eve@example.net\r\n", b" <eve@example.net>\r\n", b" \r\n", b"x\r\n", b":\r\n", ID]),
)


@given(st.one_of(st.binary(max_size=300), st.lists(lines, max_size=10).map(b"".join)), st.booleans())
def test_no_bytes_do_anything_but_pass_or_be_refused(block: bytes, submission: bool) -> None:
    try:
        found = inspect(block, submission=submission)
    except Refused as refused:
        reply = refused.reply
    else:
        reply = b""
        assert found.fixed(PREPEND, NEW_DATE, NEW_ID).startswith(PREPEND)
        assert found.relayed(b"").replace(b"\r\n", b"") == block.replace(b"\r\n", b"")
    assert reply in {
        b"",
        replies.NO_FROM,
        replies.SEVERAL_FROM,
        replies.SEVERAL_SENDER,
        replies.UNREADABLE_FROM,
        replies.UNREADABLE_SENDER,
        replies.HEADER_NUL,
    }


@given(st.lists(lines, max_size=10).map(b"".join))
def test_another_reader_finds_no_other_author(block: bytes) -> None:
    try:
        found = inspect(block + END)
    except Refused:
        return
    message = email.message_from_bytes(found.fixed(PREPEND, NEW_DATE, NEW_ID), policy=email.policy.compat32)
    seen = message.get_all("From", [])
    assert len(seen) <= 1
    assert "eve@example.net" not in str(seen) or "eve@example.net" in found.from_addresses
    assert "Bcc" not in message


@pytest.mark.alone
@pytest.mark.parametrize(
    "block",
    [
        FROM + b"x: y\r\n" * 170_000,
        FROM + b"Subject: x\r\n" + b" y\r\n" * 250_000,
        b"From: " + b"(" * 1_000_000 + b"\r\n",
        b"From: " + b"a@b.c, " * 140_000 + b"\r\n",
        b"From: " + b'"a" ' * 250_000 + b"<hanako@example.org>\r\n",
        b"From: " + b"a-" * 500_000 + b"\r\n",
        FROM + b"Received: x\r\n" * 80_000,
        FROM + b"x" * 1_000_000,
        FROM + b"\n" * 1_000_000,
        FROM + b"Bcc: x\r\n" * 120_000,
    ],
)
def test_a_megabyte_of_header_takes_a_fraction_of_a_second(block: bytes) -> None:
    begin = time.process_time()
    with suppress(Refused):
        inspect(block + END).fixed(b"", b"", b"")
    assert time.process_time() - begin < 1.0
