"""A notice is a message that programs and people can read, whatever the other side said."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailadmin.queue.notices import Notice, Outcome, header_block, render
from tests.ground.clock import START

ORIGINAL = b"From: <ichiro@example.org>\r\nSubject: hello\r\n"
FAILED = Outcome(
    address="friend@example.net",
    action="failed",
    status="5.1.1",
    at=START + timedelta(minutes=3),
    orcpt="rfc822;friend+2Bold@example.net",
    peer="mx.example.net[192.0.2.1]:25",
    code=550,
    reply="No such user",
)
NOTICE = Notice(
    kind="failed",
    hostname="mail.example.org",
    queue_id="0rr2b5q000000",
    notice_id="0rr2b5q000001",
    boundary="=_boundary",
    to="ichiro@example.org",
    now=START + timedelta(minutes=4),
    arrived_at=START,
    envid="env-1",
    message_id="<one@example.org>",
    smtputf8=False,
    original=ORIGINAL,
    whole=False,
    outcomes=(FAILED,),
)


def _read(notice: Notice) -> EmailMessage:
    parsed = message_from_bytes(render(notice), policy=policy.default)
    assert isinstance(parsed, EmailMessage)
    assert not [defect for part in parsed.walk() for defect in part.defects]
    return parsed


def _parts(notice: Notice) -> list[Any]:
    return list(_read(notice).iter_parts())


def test_a_notice_is_a_report_of_three_parts() -> None:
    """RFC 3464 §2, RFC 6522 §3."""
    message = _read(NOTICE)
    assert message.get_content_type() == "multipart/report"
    assert message.get_param("report-type") == "delivery-status"
    kinds = [part.get_content_type() for part in message.iter_parts()]
    assert kinds == ["text/plain", "message/delivery-status", "text/rfc822-headers"]


def test_the_header_says_that_a_machine_replies() -> None:
    """RFC 3834 §5."""
    message = _read(NOTICE)
    assert message["Auto-Submitted"] == "auto-replied"
    assert message["From"] == "Mail Delivery System <MAILER-DAEMON@mail.example.org>"
    assert message["To"] == "ichiro@example.org"
    assert message["References"] == "<one@example.org>"
    assert message["Message-ID"] == "<0rr2b5q000001@mail.example.org>"
    assert message["Date"] == "Wed, 01 Apr 2026 09:04:00 +0000"
    assert message["Subject"] == "メールを配達できませんでした / Your message was not delivered"


def test_programs_read_the_fields_of_rfc_3464() -> None:
    whole, recipient = _parts(NOTICE)[1].get_payload()
    assert dict(whole.items()) == {
        "Original-Envelope-Id": "env-1",
        "Reporting-MTA": "dns; mail.example.org",
        "X-Queue-ID": "0rr2b5q000000",
        "Arrival-Date": "Wed, 01 Apr 2026 09:00:00 +0000",
    }
    assert dict(recipient.items()) == {
        "Original-Recipient": "rfc822; friend+old@example.net",
        "Final-Recipient": "rfc822; friend@example.net",
        "Action": "failed",
        "Status": "5.1.1",
        "Remote-MTA": "dns; mx.example.net",
        "Diagnostic-Code": "smtp; 550 5.1.1 No such user",
        "Last-Attempt-Date": "Wed, 01 Apr 2026 09:03:00 +0000",
    }


def test_people_read_it_in_japanese_and_in_english() -> None:
    text = _parts(NOTICE)[0].get_content()
    assert "次の宛先へメールを配達できませんでした" in text
    assert "Your message could not be delivered" in text
    assert text.count("<friend@example.net>\r\n    mx.example.net[192.0.2.1]:25: 550 5.1.1 No such user") == 2
    assert text.count("0rr2b5q000000") == 2


def test_a_delay_says_until_when_it_is_tried() -> None:
    until = START + timedelta(days=5)
    late = replace(FAILED, action="delayed", status="4.4.1", code=0, reply="timed out", retry_until=until)
    people, programs, _ = _parts(replace(NOTICE, kind="delayed", outcomes=(late,)))
    assert "2026-04-06 09:00 UTC" in people.get_content()
    recipient = programs.get_payload()[1]
    assert recipient["Will-Retry-Until"] == "Mon, 06 Apr 2026 09:00:00 +0000"
    assert recipient["Diagnostic-Code"] == "x-mailadmin; timed out"
    assert recipient["Remote-MTA"] is None


def test_the_header_block_goes_back_as_it_came() -> None:
    assert _parts(NOTICE)[2].get_content() == ORIGINAL.decode()


def test_the_whole_message_goes_back_as_it_came() -> None:
    original = ORIGINAL + b"\r\n\x1b$B$3$s\x1b(B raw \xe3\x81\x82\r\n"
    octets = render(replace(NOTICE, original=original, whole=True))
    assert b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" + original in octets


def test_everything_else_is_ascii() -> None:
    assert render(NOTICE).isascii()
    strange = replace(FAILED, reply="そのような利用者はいません")
    assert render(replace(NOTICE, outcomes=(strange,))).isascii()


def test_a_utf8_message_gets_a_utf8_report() -> None:
    """RFC 6533 §3 to §5."""
    outcome = replace(FAILED, address="友@example.net", orcpt=r"utf-8;\x{53CB}@example.net", reply="不明")
    octets = render(
        replace(
            NOTICE, smtputf8=True, to="一郎@example.org", outcomes=(outcome,), original="Subject: 件名\r\n".encode()
        )
    )
    assert "To: <一郎@example.org>\r\n".encode() in octets
    assert b"Content-Type: message/global-delivery-status\r\nContent-Transfer-Encoding: 8bit\r\n" in octets
    assert "Final-Recipient: utf-8; 友@example.net\r\n".encode() in octets
    assert "Original-Recipient: utf-8; 友@example.net\r\n".encode() in octets
    assert "Diagnostic-Code: smtp; 550 5.1.1 不明\r\n".encode() in octets
    assert b"Content-Type: message/global-headers\r\nContent-Transfer-Encoding: 8bit\r\n" in octets


@given(reply=st.text(max_size=1000), envid=st.text(max_size=100), orcpt=st.text(max_size=200))
def test_nothing_that_others_said_breaks_the_form(reply: str, envid: str, orcpt: str) -> None:
    octets = render(replace(NOTICE, envid=envid, outcomes=(replace(FAILED, reply=reply, orcpt=orcpt),)))
    octets.decode()
    assert b"\n" not in octets.replace(b"\r\n", b"")
    assert b"\r" not in octets.replace(b"\r\n", b"")
    assert b"\0" not in octets
    assert max(map(len, octets.split(b"\r\n"))) <= 998  # RFC 5322 §2.1.1
    status = octets.split(b"--=_boundary")[2]
    names = [line.partition(b":")[0] for line in status.split(b"\r\n") if line and not line.startswith(b" ")]
    assert names.count(b"Action") == names.count(b"Status") == names.count(b"Diagnostic-Code") == 1


@pytest.mark.parametrize(
    ("octets", "block"),
    [
        (b"A: b\r\nC: d\r\n\r\nbody", b"A: b\r\nC: d\r\n"),
        (b"A: b\r\n", b"A: b\r\n"),
        (b"", b""),
        (b"\r\nbody only", b""),
    ],
)
def test_the_header_block_ends_at_the_blank_line(octets: bytes, block: bytes) -> None:
    assert header_block(octets) == block
