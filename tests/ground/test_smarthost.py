"""The far side itself: it must not lose or change what the tests then compare."""

from __future__ import annotations

import smtplib
import ssl

import pytest

from tests.ground.smarthost import Fault, Smarthost, Tls

MESSAGES = (
    b"Subject: plain\r\n\r\nhello\r\n",
    b"Subject: dots\r\n\r\n.\r\n..\r\n.x\r\n\r\n.\r\n",
    b".first line is a dot\r\n",
    b"Subject: eight\r\n\r\n\xff\xfe\x00\x1b$B\r\n",
    b"Subject: long\r\n\r\n" + b"0123456789abcdef\r\n" * 200_000,
)


def _client(far_side: Smarthost, tls: Tls) -> smtplib.SMTP:
    context = ssl.create_default_context(cadata=far_side.ca_pem)
    if tls == "implicit":
        return smtplib.SMTP_SSL("127.0.0.1", far_side.port, context=context, timeout=10)
    client = smtplib.SMTP("127.0.0.1", far_side.port, timeout=10)
    if tls == "starttls":
        client.starttls(context=context)
    return client


@pytest.mark.parametrize("tls", ["none", "starttls", "implicit"])
def test_it_keeps_every_octet_of_a_message(tls: Tls) -> None:
    with Smarthost(tls=tls, login=("user", "secret")) as far_side:
        client = _client(far_side, tls)
        client.login("user", "secret")
        for message in MESSAGES:
            client.sendmail("a@example.org", ["b@example.net", "c@example.net"], message)
        client.quit()
        stored = far_side.wait_for(len(MESSAGES))
    assert [message.data for message in stored] == list(MESSAGES)
    assert {message.recipients for message in stored} == {("b@example.net", "c@example.net")}
    assert {bool(message.tls) for message in stored} == {tls != "none"}


def test_it_refuses_who_did_not_sign_in() -> None:
    with Smarthost(tls="none", login=("user", "secret")) as far_side:
        client = _client(far_side, "none")
        with pytest.raises(smtplib.SMTPAuthenticationError):
            client.login("user", "wrong")
        with pytest.raises(smtplib.SMTPSenderRefused):
            client.sendmail("a@example.org", ["b@example.net"], MESSAGES[0])
        client.close()
        assert far_side.messages == []


def test_a_fault_happens_as_often_as_asked() -> None:
    with Smarthost(Fault("dot", "refuse", "451 4.3.0 busy", times=1), tls="none") as far_side:
        client = _client(far_side, "none")
        with pytest.raises(smtplib.SMTPDataError, match="busy"):
            client.sendmail("a@example.org", ["b@example.net"], MESSAGES[0])
        client.sendmail("a@example.org", ["b@example.net"], MESSAGES[1])
        client.close()
        assert [message.data for message in far_side.messages] == [MESSAGES[1]]


def test_a_message_dropped_after_its_final_dot_can_be_kept_all_the_same() -> None:
    with Smarthost(Fault("dot", "drop", kept=True), tls="none") as far_side:
        client = _client(far_side, "none")
        with pytest.raises(smtplib.SMTPServerDisconnected):
            client.sendmail("a@example.org", ["b@example.net"], MESSAGES[0])
        assert len(far_side.wait_for(1)) == 1
