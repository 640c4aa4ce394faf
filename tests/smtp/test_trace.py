"""The fields that say where a message came from, and when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from email.utils import parsedate_to_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smtpd.smtp.headers import date, protocol, received

DATE = b"Tue, 24 Nov 2026 22:20:00 +0000"


def test_a_submission_is_traced_without_the_client() -> None:
    line = received(hostname="mx.example.org", queue_id="00abc", date=DATE, protocol="ESMTPSA", helo="laptop")
    assert line == b"Received: by mx.example.org (mailadmin) with ESMTPSA id 00abc;\r\n\t" + DATE + b"\r\n"


@pytest.mark.parametrize(
    ("client", "helo", "origin"),
    [
        ("192.0.2.1", "mail.example.net", b"from mail.example.net ([192.0.2.1])"),
        ("2001:db8::1", "[IPv6:2001:db8::1]", b"from [IPv6:2001:db8::1] ([IPv6:2001:db8::1])"),
        ("192.0.2.1", "a b", b"from unknown ([192.0.2.1])"),
        ("192.0.2.1", "x)\r\nFrom: eve", b"from unknown ([192.0.2.1])"),
        ("192.0.2.1", "x" * 300, b"from unknown ([192.0.2.1])"),
    ],
)
def test_mail_from_another_server_is_traced_with_it(client: str, helo: str, origin: bytes) -> None:
    line = received(hostname="mx.example.org", queue_id="00abc", date=DATE, protocol="ESMTPS", client=client, helo=helo)
    assert line == (
        b"Received: " + origin + b"\r\n\tby mx.example.org (mailadmin) with ESMTPS id 00abc;\r\n\t" + DATE + b"\r\n"
    )


@pytest.mark.parametrize(
    ("extended", "tls", "authenticated", "utf8", "name"),
    [
        (False, False, False, False, "SMTP"),
        (True, False, False, False, "ESMTP"),
        (True, True, False, False, "ESMTPS"),
        (True, False, True, False, "ESMTPA"),
        (True, True, True, False, "ESMTPSA"),
        (True, False, False, True, "UTF8SMTP"),
        (True, True, True, True, "UTF8SMTPSA"),
    ],
)
def test_the_protocol_has_its_registered_name(
    extended: bool, tls: bool, authenticated: bool, utf8: bool, name: str
) -> None:
    assert protocol(extended=extended, tls=tls, authenticated=authenticated, utf8=utf8) == name


def test_a_date_has_two_digits_and_its_zone() -> None:
    tokyo = timezone(timedelta(hours=9))
    assert date(datetime(2026, 1, 5, 3, 4, 5, tzinfo=UTC)) == b"Mon, 05 Jan 2026 03:04:05 +0000"
    assert date(datetime(2026, 1, 5, 3, 4, 5, tzinfo=tokyo)) == b"Mon, 05 Jan 2026 03:04:05 +0900"
    assert date(datetime(2026, 1, 5, 3, 4, 5, tzinfo=timezone(-timedelta(hours=3, minutes=30)))).endswith(b" -0330")


@given(st.datetimes(min_value=datetime(1990, 1, 1), max_value=datetime(2100, 1, 1)), st.integers(-840, 840))  # noqa: DTZ001  # hypothesis wants them naive
def test_a_date_comes_back_as_it_went(moment: datetime, minutes: int) -> None:
    moment = moment.replace(microsecond=0, tzinfo=timezone(timedelta(minutes=minutes)))
    assert parsedate_to_datetime(date(moment).decode()) == moment
