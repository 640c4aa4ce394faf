"""A transaction and its verdicts, as a dialogue without sockets."""

from __future__ import annotations

import pytest

from mailadmin.queue.envelopes import ClaimedMessage
from smtpd.smtp.client_actions import Trouble
from smtpd.smtp.client_features import Features
from smtpd.smtp.client_transaction import Ending, Transaction
from tests.delivery.dialogues import LOST, play
from tests.delivery.material import message, recipient, recipients

ALL = Features({"PIPELINING": "", "SIZE": "1000", "8BITMIME": "", "SMTPUTF8": "", "DSN": ""})
PIPELINING = Features({"PIPELINING": ""})
NONE = Features()


def transact(
    letter: ClaimedMessage, features: Features, *answers: bytes | Trouble, early: bytes = b"", **options: bool
) -> tuple[Ending, list[bytes]]:
    return play(Transaction(letter, letter.recipients, features, **options).run(), answers, early)


def outcomes(ending: Ending) -> dict[int, tuple[str, str, str]]:
    return {key: (verdict.outcome, verdict.stage, verdict.enhanced) for key, verdict in ending.verdicts.items()}


def test_with_pipelining_the_envelope_is_one_write() -> None:
    ending, sent = transact(message(recipients(2)), PIPELINING, b"250", b"250", b"250", b"354", b"250 2.0.0 q1")
    assert sent == [
        b"MAIL FROM:<ichiro@example.org>\r\nRCPT TO:<r1@example.net>\r\nRCPT TO:<r2@example.net>\r\nDATA\r\n",
        b"<BODY>",
    ]
    assert outcomes(ending) == {1: ("delivered", "data", "2.0.0"), 2: ("delivered", "data", "2.0.0")}
    assert ending.usable
    assert not ending.dirty


def test_without_pipelining_each_command_waits() -> None:
    _, sent = transact(message(recipients(1)), NONE, b"250", b"250", b"354", b"250")
    assert sent == [b"MAIL FROM:<ichiro@example.org>\r\n", b"RCPT TO:<r1@example.net>\r\n", b"DATA\r\n", b"<BODY>"]


def test_parameters_are_sent_to_servers_that_offer_them() -> None:
    to = (recipient(notify="SUCCESS,DELAY", orcpt="rfc822;a+2Bb@example.net"),)
    letter = message(to, size=900, smtputf8=True, eight_bit=True, envid="QQ314", ret="HDRS")
    ending, sent = transact(letter, ALL, b"250", b"250", b"354", b"250")
    mail, rcpt, *_ = sent[0].split(b"\r\n")
    assert mail == b"MAIL FROM:<ichiro@example.org> SIZE=900 BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=QQ314"
    assert rcpt == b"RCPT TO:<stranger@example.net> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;a+2Bb@example.net"
    assert ending.verdicts[1].dsn


def test_parameters_are_not_sent_to_servers_that_do_not() -> None:
    to = (recipient(notify="SUCCESS", orcpt="rfc822;a@example.net"),)
    ending, sent = transact(message(to, eight_bit=True, envid="Q", ret="FULL"), NONE, b"250", b"250", b"354", b"250")
    assert sent[:2] == [b"MAIL FROM:<ichiro@example.org>\r\n", b"RCPT TO:<stranger@example.net>\r\n"]
    assert not ending.verdicts[1].dsn


def test_the_null_sender_is_a_pair_of_brackets() -> None:
    _, sent = transact(message(sender=""), NONE, b"250", b"250", b"354", b"250")
    assert sent[0] == b"MAIL FROM:<>\r\n"


@pytest.mark.parametrize("features", [PIPELINING, NONE])
def test_each_recipient_has_its_own_verdict(features: Features) -> None:
    answers = [b"250", b"550 5.1.1 nobody", b"250", b"451 4.7.1 greylisted", b"354", b"250 2.6.0 done"]
    ending, _ = transact(message(recipients(3)), features, *answers)
    assert outcomes(ending) == {
        1: ("failed", "rcpt", "5.1.1"),
        2: ("delivered", "data", "2.6.0"),
        3: ("deferred", "rcpt", "4.7.1"),
    }
    assert (ending.verdicts[1].code, ending.verdicts[1].reply) == (550, "nobody")


@pytest.mark.parametrize(
    ("reply", "outcome", "enhanced"),
    [(b"451 later", "deferred", "4.0.0"), (b"554 5.6.0 spam", "failed", "5.6.0"), (b"354 what", "deferred", "4.0.0")],
)
def test_the_reply_to_the_message_decides_for_all(reply: bytes, outcome: str, enhanced: str) -> None:
    ending, _ = transact(message(recipients(2)), PIPELINING, b"250", b"250", b"250", b"354", reply)
    assert outcomes(ending) == dict.fromkeys((1, 2), (outcome, "data", enhanced))


@pytest.mark.parametrize("features", [PIPELINING, NONE])
def test_a_refused_sender_decides_for_all_and_the_next_transaction_begins_with_rset(features: Features) -> None:
    rest: list[bytes] = [b"503 no", b"503 no"] if features is PIPELINING else []
    ending, _ = transact(message(recipients(1)), features, b"550 5.7.1 not you", *rest)
    assert outcomes(ending) == {1: ("failed", "mail", "5.7.1")}
    assert ending.usable
    assert ending.dirty
    _, sent = transact(message(recipients(1)), features, b"250", b"250", b"250", b"354", b"250", reset=True)
    assert sent[0].startswith(b"RSET\r\n")


def test_a_refusal_of_the_sender_stands_when_the_server_hangs_up_after_it() -> None:
    ending, _ = transact(message(recipients(2)), PIPELINING, b"550 5.7.1 not you", LOST)
    assert outcomes(ending) == dict.fromkeys((1, 2), ("failed", "mail", "5.7.1"))
    assert not ending.usable


def test_a_server_that_wants_data_for_nobody_gets_an_empty_message() -> None:
    answers = [b"250", b"550 5.1.1 nobody", b"354 go", b"554 5.5.1 no valid recipients"]
    ending, sent = transact(message(), PIPELINING, *answers)
    assert sent[-1] == b".\r\n"
    assert outcomes(ending) == {1: ("failed", "rcpt", "5.1.1")}


def test_lmtp_answers_for_each_accepted_recipient_in_order() -> None:
    answers = [b"250", b"250", b"550 5.1.1 x", b"250", b"354", b"250 2.0.0 in", b"452 4.2.2 full"]
    ending, _ = transact(message(recipients(3)), PIPELINING, *answers, lmtp=True)
    assert outcomes(ending) == {
        1: ("delivered", "data", "2.0.0"),
        2: ("failed", "rcpt", "5.1.1"),
        3: ("deferred", "data", "4.2.2"),
    }


def test_lmtp_keeps_what_was_answered_when_the_connection_breaks_between() -> None:
    answers = [b"250", b"250", b"250", b"354", b"250 2.0.0 in"]
    ending, _ = transact(message(recipients(2)), PIPELINING, *answers, LOST, lmtp=True)
    assert [verdict.outcome for verdict in ending.verdicts.values()] == ["delivered", "deferred"]


def test_before_the_message_trouble_decides_nothing_that_was_open() -> None:
    ending, _ = transact(message(recipients(3)), PIPELINING, b"250", b"550 5.1.1 nobody", LOST)
    assert list(ending.verdicts) == [1]
    assert ending.trouble is LOST


def test_421_is_trouble_with_the_server_and_not_with_a_recipient() -> None:
    ending, _ = transact(message(recipients(2)), NONE, b"250", b"421 4.3.2 shutting down")
    assert not ending.verdicts
    assert ending.trouble is not None
    assert (ending.trouble.stage, ending.trouble.code) == ("rcpt", 421)


def test_after_the_message_trouble_defers() -> None:
    ending, _ = transact(message(recipients(2)), PIPELINING, b"250", b"250", b"250", b"354", LOST)
    assert [verdict.outcome for verdict in ending.verdicts.values()] == ["deferred", "deferred"]
    assert ending.trouble is None


def test_yes_before_the_end_of_the_message_is_not_believed() -> None:
    ending, _ = transact(message(), PIPELINING, b"250", b"250", b"354", early=b"250 thanks, enough")
    assert ending.verdicts[1].outcome == "deferred"
    assert not ending.usable


def test_no_before_the_end_of_the_message_is() -> None:
    ending, _ = transact(message(), PIPELINING, b"250", b"250", b"354", early=b"552 5.3.4 too much")
    assert outcomes(ending) == {1: ("failed", "data", "5.3.4")}
    assert not ending.usable


def test_smtputf8_that_is_needed_and_not_offered_fails() -> None:
    ending, sent = transact(message(smtputf8=True), PIPELINING)
    assert outcomes(ending) == {1: ("failed", "mail", "5.6.7")}
    assert not sent


def test_only_the_recipients_that_need_smtputf8_fail_for_want_of_it() -> None:
    to = (recipient("花子@example.net", 1), recipient("b@example.net", 2))
    ending, _ = transact(message(to), PIPELINING, b"250", b"250", b"354", b"250")
    assert [verdict.outcome for verdict in ending.verdicts.values()] == ["failed", "delivered"]
    _, sent = transact(message(to), ALL, b"250", b"250", b"250", b"354", b"250")
    assert b" SMTPUTF8" in sent[0]
    assert "RCPT TO:<花子@example.net>".encode() in sent[0]


def test_a_message_beyond_the_servers_size_fails_without_being_sent() -> None:
    ending, sent = transact(message(size=1001), ALL)
    assert outcomes(ending) == {1: ("failed", "mail", "5.3.4")}
    assert not sent


@pytest.mark.parametrize(
    "address",
    [
        "a@b\r\nDATA",
        "a@b> SIZE=1",
        "a b@c",
        "<a@b",
        "a@b\0",
        "@b",
        "a@",
        "",
        'a"@b',
        '"a\r"@b',
        "a@[1.2.3.4",
        "a\x85@b",
    ],
)
def test_no_text_becomes_a_command(address: str) -> None:
    ending, sent = transact(message((recipient(address),)), ALL)
    assert outcomes(ending) == {1: ("failed", "rcpt", "5.1.3")}
    assert not sent
    if address:
        ending, sent = transact(message(sender=address), ALL)
        assert outcomes(ending) == {1: ("failed", "mail", "5.1.7")}
        assert not sent


@pytest.mark.parametrize("address", ["a@b", '"a b"@c.example', "a@[192.0.2.1]", "a+b=c/d@e", "postmaster", r'"a\"b"@c'])
def test_every_address_of_the_grammar_is_sent(address: str) -> None:
    _, sent = transact(message((recipient(address),)), NONE, b"250", b"250", b"354", b"250")
    assert sent[1] == f"RCPT TO:<{address}>\r\n".encode()


def test_envid_and_orcpt_cannot_carry_a_second_parameter() -> None:
    to = (recipient(orcpt="rfc822;a\r\nRSET"),)
    _, sent = transact(message(to, envid="x BODY=7BIT"), ALL, b"250", b"250", b"354", b"250")
    assert b" ENVID=x+20BODY+3D7BIT" in sent[0]
    assert b"ORCPT" not in sent[1]


def test_552_at_rcpt_means_too_many_unless_a_code_says_more() -> None:
    answers = [b"250", b"552 too many recipients", b"552 5.2.2 mailbox full", b"503 no"]
    ending, _ = transact(message(recipients(2)), PIPELINING, *answers)
    assert outcomes(ending) == {1: ("deferred", "rcpt", "4.5.3"), 2: ("failed", "rcpt", "5.2.2")}


def test_530_from_a_smarthost_waits_for_its_settings_to_be_repaired() -> None:
    ending, _ = transact(message(), NONE, b"530 5.7.0 authentication required", repairable=True)
    assert outcomes(ending) == {1: ("deferred", "auth", "4.7.0")}
    ending, _ = transact(message(), NONE, b"530 5.7.0 authentication required")
    assert outcomes(ending) == {1: ("failed", "mail", "5.7.0")}


def test_an_answer_out_of_place_defers_and_ends_the_connection() -> None:
    ending, _ = transact(message(), NONE, b"354 already?")
    assert outcomes(ending) == {1: ("deferred", "mail", "4.5.0")}
    assert not ending.usable


def test_an_orcpt_in_utf_8_is_written_so_that_every_server_takes_it() -> None:
    to = (recipient(orcpt="utf-8;花@example.net"),)
    _, sent = transact(message(to), ALL, b"250", b"250", b"354", b"250")
    assert rb" ORCPT=utf-8;\x{82B1}@example.net" in sent[0]
