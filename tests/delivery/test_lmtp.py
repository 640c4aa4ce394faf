"""Delivery by LMTP over TCP and unix sockets."""

from __future__ import annotations

from pathlib import Path

import pytest

from smtpd.delivery.lmtp import LmtpAgent
from tests.delivery.material import HOSTNAME, SHORT, message, one, recipients, send
from tests.delivery.scripted import Manners, server, unix_server


def lmtp(target: str) -> LmtpAgent:
    return LmtpAgent(target, hostname=HOSTNAME, timeouts=SHORT)


def manners(*finals: bytes) -> Manners:
    return Manners(offers=("PIPELINING", "ENHANCEDSTATUSCODES"), lmtp=True, final=list(finals))


def test_each_recipient_has_a_reply_of_its_own_after_the_message() -> None:
    with server(manners(b"250 2.0.0 in\r\n", b"452 4.2.2 full\r\n", b"550 5.2.1 off\r\n")) as far:
        verdicts = send(lmtp(f"127.0.0.1:{far.port}"), message(recipients(3)))
    assert [(verdict.outcome, verdict.enhanced) for verdict in verdicts.values()] == [
        ("delivered", "2.0.0"),
        ("deferred", "4.2.2"),
        ("failed", "5.2.1"),
    ]
    assert far.talks[0].commands[0] == "LHLO mail.example.org"


def test_replies_that_are_missing_defer_only_those_recipients() -> None:
    with server(manners(b"250 2.0.0 in\r\n", b"DROP")) as far:
        verdicts = send(lmtp(f"127.0.0.1:{far.port}"), message(recipients(2)))
    assert [verdicts[number].outcome for number in (1, 2)] == ["delivered", "deferred"]


def test_a_unix_socket_is_named_by_its_path(tmp_path: Path, on_asyncio: bool) -> None:
    path = str(tmp_path / "lmtp")
    with unix_server(path, manners(b"250 2.0.0 in\r\n")):
        verdict = one(send(lmtp(path), on_asyncio=on_asyncio))
    assert (verdict.outcome, verdict.peer) == ("delivered", path)


def test_ipv6_stands_in_brackets() -> None:
    with server(manners(b"250 2.0.0 in\r\n"), host="::1") as far:
        assert one(send(lmtp(f"[::1]:{far.port}"))).outcome == "delivered"


def test_a_missing_server_defers_in_words(tmp_path: Path) -> None:
    verdict = one(send(lmtp(str(tmp_path / "nothing"))))
    assert (verdict.outcome, verdict.stage) == ("deferred", "connect")
    assert "No such file or directory" in verdict.reply


@pytest.mark.parametrize("target", ["", "localhost", "localhost:", ":24", "localhost:x", "localhost:70000"])
def test_a_target_that_is_none_defers_in_words(target: str) -> None:
    verdict = one(send(lmtp(target)))
    assert (verdict.outcome, verdict.stage) == ("deferred", "route")
    assert "must be HOST:PORT" in verdict.reply


def test_a_server_that_speaks_smtp_there_defers() -> None:
    with server() as far:
        verdict = one(send(lmtp(f"127.0.0.1:{far.port}")))
    assert (verdict.outcome, verdict.stage, verdict.code) == ("deferred", "connect", 500)
