"""What an LMTP server says about its mailboxes, how long it is believed, and how little it is asked."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import pytest

from smtpd.delivery.timeouts import Timeouts
from smtpd.delivery.verification import ABSENT_TIME, EXISTING_TIME, Finding, Verifier
from tests.delivery.conftest import Tls
from tests.delivery.material import HOSTNAME, SHORT, run
from tests.delivery.scripted import DROP, HANG, Manners, ScriptedServer, server, unix_server
from tests.ground.clock import Clock

ADDRESS = "hanako@example.com"


def lmtp(*, rcpt: bytes | list[bytes] = b"250 2.1.5 here\r\n", **replies: bytes) -> Manners:
    return Manners(offers=("PIPELINING", "ENHANCEDSTATUSCODES"), lmtp=True, replies={"RCPT": rcpt, **replies})


def verifier(clock: Clock | None = None, most_remembered: int = 10) -> Verifier:
    clock = clock or Clock()
    return Verifier(lambda: clock().timestamp(), SHORT, most_remembered)


async def found(asked: Verifier, target: str, address: str = ADDRESS) -> Finding:
    answer = asked.ask(target, address, HOSTNAME)
    return answer if isinstance(answer, Finding) else await answer


def findings(asked: Verifier, far: ScriptedServer | str, *addresses: str) -> list[Finding]:
    """Ask for `addresses`, one after the other."""
    target = far if isinstance(far, str) else f"127.0.0.1:{far.port}"

    async def ask_all() -> list[Finding]:
        return [await found(asked, target, address) for address in addresses or (ADDRESS,)]

    return run(ask_all())


def test_the_question_is_a_transaction_without_a_message() -> None:
    with server(lmtp()) as far:
        assert findings(verifier(), far) == [Finding.EXISTS]
    commands = far.talks[0].commands
    assert commands[:3] == [f"LHLO {HOSTNAME}", "MAIL FROM:<>", f"RCPT TO:<{ADDRESS}>"]
    assert set(commands[3:]) <= {"QUIT"}


def test_a_unix_socket_is_asked_as_well(tmp_path: Path) -> None:
    path = str(tmp_path / "lmtp")
    with unix_server(path, lmtp(rcpt=b"550 5.1.1 nobody\r\n")):
        assert findings(verifier(), path) == [Finding.ABSENT]


@pytest.mark.parametrize(
    ("reply", "finding"),
    [
        (b"251 2.1.5 will forward\r\n", Finding.EXISTS),
        (b"550 5.1.1 nobody\r\n", Finding.ABSENT),
        (b"553 no\r\n", Finding.ABSENT),
        (b"552 5.2.2 full for good\r\n", Finding.ABSENT),
        (b"552 too many\r\n", Finding.UNVERIFIED),
        (b"530 5.7.0 sign in\r\n", Finding.UNVERIFIED),
        (b"450 4.2.0 greylisted\r\n", Finding.UNVERIFIED),
        (b"421 4.3.2 closing\r\n", Finding.UNVERIFIED),
        (b"354 go ahead\r\n", Finding.UNVERIFIED),
        (b"HTTP/1.1 200 OK\r\n", Finding.UNVERIFIED),
        (DROP, Finding.UNVERIFIED),
        (HANG, Finding.UNVERIFIED),
    ],
)
def test_only_an_answer_to_rcpt_says_that_there_is_no_mailbox(reply: bytes, finding: Finding) -> None:
    with server(lmtp(rcpt=reply)) as far:
        assert findings(verifier(), far) == [finding]


@pytest.mark.parametrize("command", ["LHLO", "MAIL"])
def test_a_refusal_before_rcpt_leaves_the_question_open(command: str) -> None:
    with server(lmtp(**{command: b"550 5.7.1 not you\r\n"})) as far:
        assert findings(verifier(), far) == [Finding.UNVERIFIED]


@pytest.mark.parametrize("target", ["127.0.0.1:1", "/nowhere/lmtp", "no server"])
def test_a_server_that_is_not_there_leaves_the_question_open(target: str) -> None:
    assert findings(verifier(), target) == [Finding.UNVERIFIED]


def test_a_server_that_drips_takes_no_more_than_the_whole_time() -> None:
    manners = lmtp()
    manners.slowly = 0.05
    patient = Verifier(timeouts=Timeouts(total=0.5))
    with server(manners) as far:

        async def timed() -> tuple[Finding, float]:
            loop = asyncio.get_running_loop()
            began = loop.time()
            return await found(patient, f"127.0.0.1:{far.port}"), loop.time() - began

        finding, seconds = run(timed())
    assert finding is Finding.UNVERIFIED
    assert 0.4 < seconds < 2


def test_an_address_that_the_server_cannot_be_given_is_absent() -> None:
    with server(lmtp()) as far:
        assert findings(verifier(), far, "\u82b1\u5b50@example.com") == [Finding.ABSENT]
        assert far.talks[0].said("RCPT") == []
    with server(Manners(lmtp=True)) as far:
        assert findings(verifier(), far, "\u82b1\u5b50@example.com") == [Finding.EXISTS]
        assert far.talks[0].said("MAIL") == ["MAIL FROM:<> SMTPUTF8"]


def test_a_failed_handshake_is_followed_by_the_question_in_clear_as_in_a_delivery(tls: Tls) -> None:
    manners = lmtp()
    manners.offers, manners.tls = ("STARTTLS",), tls()
    manners.tls.maximum_version = ssl.TLSVersion.TLSv1_2
    manners.tls.set_ciphers("ECDHE-RSA-AES128-GCM-SHA256")  # the key is of another kind, so no handshake succeeds
    with server(manners) as far:
        assert findings(verifier(), far) == [Finding.EXISTS]
    first, second = far.talks
    assert first.said("STARTTLS")
    assert not first.said("RCPT")
    assert second.said("RCPT")


@pytest.mark.parametrize(
    ("reply", "finding", "seconds"),
    [
        (b"250 2.1.5 here\r\n", Finding.EXISTS, EXISTING_TIME),
        (b"550 5.1.1 nobody\r\n", Finding.ABSENT, ABSENT_TIME),
    ],
)
def test_an_answer_is_believed_for_its_time(reply: bytes, finding: Finding, seconds: float) -> None:
    clock = Clock()
    asked = verifier(clock)
    with server(lmtp(rcpt=reply)) as far:
        assert findings(asked, far, ADDRESS, ADDRESS) == [finding, finding]
        clock.advance(seconds - 1)
        assert findings(asked, far) == [finding]
        assert len(far.talks) == 1
        clock.advance(1)
        assert findings(asked, far) == [finding]
        assert len(far.talks) == 2


def test_a_mailbox_that_is_made_or_deleted_is_seen_after_that_time() -> None:
    clock = Clock()
    asked = verifier(clock)
    no, yes = b"550 5.1.1 nobody\r\n", b"250 2.1.5 here\r\n"
    with server(lmtp(rcpt=[no, yes, no])) as far:
        seen = findings(asked, far)
        for seconds in (ABSENT_TIME, EXISTING_TIME):
            clock.advance(seconds)
            seen += findings(asked, far)
    assert seen == [Finding.ABSENT, Finding.EXISTS, Finding.ABSENT]


def test_an_open_question_is_asked_again_at_once() -> None:
    with server(lmtp(rcpt=[b"450 4.2.0 later\r\n", b"250 2.1.5 here\r\n"])) as far:
        assert findings(verifier(), far, ADDRESS, ADDRESS) == [Finding.UNVERIFIED, Finding.EXISTS]


def test_no_more_answers_are_remembered_than_allowed() -> None:
    asked = verifier(most_remembered=2)
    with server(lmtp()) as far:
        findings(asked, far, "a@example.com", "b@example.com", "c@example.com", "c@example.com", "b@example.com")
        assert len(far.talks) == 3
        findings(asked, far, "a@example.com")
        assert len(far.talks) == 4


def test_an_answer_counts_for_the_server_that_gave_it() -> None:
    asked = verifier()
    with server(lmtp()) as one, server(lmtp(rcpt=b"550 5.1.1 nobody\r\n")) as other:
        assert [*findings(asked, one), *findings(asked, other)] == [Finding.EXISTS, Finding.ABSENT]


def test_the_same_question_at_once_goes_out_once() -> None:
    asked = verifier()
    with server(lmtp()) as far:

        async def together() -> list[Finding]:
            return await asyncio.gather(*(found(asked, f"127.0.0.1:{far.port}") for _ in range(20)))

        assert run(together()) == [Finding.EXISTS] * 20
        assert len(far.talks) == 1


def test_many_questions_at_once_are_put_over_few_connections() -> None:
    asked = Verifier(timeouts=SHORT)
    with server(lmtp(rcpt=HANG)) as far:

        async def many() -> int:
            target = f"127.0.0.1:{far.port}"
            tasks = [asyncio.ensure_future(found(asked, target, f"a{number}@example.com")) for number in range(30)]
            await asyncio.sleep(0.2)
            open_now = len(far.talks)
            await asyncio.gather(*tasks)
            return open_now

        assert run(many()) == 5
        assert len(far.talks) == 30
