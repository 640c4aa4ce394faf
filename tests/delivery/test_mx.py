"""Direct delivery: servers found by MX on loopback, tried in order, with opportunistic TLS."""

from __future__ import annotations

from collections.abc import Mapping

from mailadmin.queue.envelopes import ClaimedMessage, Verdict
from smtpd.delivery.resolver import MxResolver
from smtpd.delivery.smtp import SmtpAgent
from tests.delivery.conftest import Tls
from tests.delivery.material import HOSTNAME, SHORT, message, one, recipient, recipients, send
from tests.delivery.name_server import Zone, name_server
from tests.delivery.scripted import DROP, Manners, Peer, server

SECOND = "127.0.0.2"


def zone(*addresses: str) -> Zone:
    """example.net with a server at each address, preferred in that order."""
    return {
        "example.net": {"MX": [f"{number} mx{number}.example.net." for number in range(len(addresses))]},
        **{f"mx{number}.example.net": {"A": [address]} for number, address in enumerate(addresses)},
    }


def send_direct(
    records: Zone, port: int, letter: ClaimedMessage | None = None, *, allow_private: bool = True
) -> Mapping[int, Verdict]:
    with name_server(records) as dns:
        resolver = MxResolver(
            hostname=HOSTNAME, allow_private=allow_private, nameservers=["127.0.0.1"], port=dns.port, seconds=3
        )
        return send(SmtpAgent.for_mx(resolver, hostname=HOSTNAME, port=port, timeouts=SHORT), letter)


def test_the_preferred_server_gets_the_message() -> None:
    with server() as far:
        verdict = one(send_direct(zone("127.0.0.1", SECOND), far.port))
    assert verdict.outcome == "delivered"
    assert verdict.peer == f"mx0.example.net[127.0.0.1]:{far.port}"


def test_the_next_server_is_tried_when_the_preferred_one_does_not_answer() -> None:
    with server(host=SECOND) as far:
        verdict = one(send_direct(zone("127.0.0.1", SECOND), far.port))
    assert (verdict.outcome, verdict.peer) == ("delivered", f"mx1.example.net[{SECOND}]:{far.port}")


def test_the_next_server_is_tried_when_the_preferred_one_refuses_the_session() -> None:
    with server(host=SECOND) as far, server(Manners(banner=b"554 5.3.2 no\r\n"), port=far.port) as first:
        assert one(send_direct(zone("127.0.0.1", SECOND), far.port)).outcome == "delivered"
    assert len(first.talks) == 1


def test_a_session_that_all_servers_refuse_fails_for_good() -> None:
    refusing = Manners(banner=b"554 5.7.1 no mail from you\r\n")
    with server(refusing, host=SECOND) as far, server(refusing, port=far.port):
        verdict = one(send_direct(zone("127.0.0.1", SECOND), far.port))
    assert (verdict.outcome, verdict.stage, verdict.enhanced) == ("failed", "connect", "5.7.1")


def test_a_session_that_one_refuses_and_one_cannot_answer_defers() -> None:
    with server(Manners(banner=b"554 5.7.1 no\r\n"), host=SECOND) as far:
        verdict = one(send_direct(zone("127.0.0.1", SECOND), far.port))
    assert verdict.outcome == "deferred"


def test_tls_is_used_where_it_is_offered_whatever_the_certificate(tls: Tls) -> None:
    with server(Manners(offers=("STARTTLS",), tls=tls("other.example.com", expired=True))) as far:
        verdict = one(send_direct(zone("127.0.0.1"), far.port))
    assert verdict.outcome == "delivered"
    assert verdict.tls.startswith("TLSv1.3")


def test_a_failed_handshake_is_followed_by_a_new_connection_in_clear() -> None:
    def script(peer: Peer) -> None:
        peer.say(b"220 mx\r\n")
        while True:
            verb = peer.line().partition(" ")[0].upper()
            if verb == "STARTTLS":
                peer.say(b"220 go\r\n")
                peer.sock.recv(1)
                peer.say(b"\x15\x03\x01\x00\x02\x02\x28")  # a fatal alert: handshake failure
                peer.say(DROP)
            peer.say({"EHLO": b"250-mx\r\n250 STARTTLS\r\n", "DATA": b"354 go\r\n"}.get(verb, b"250 2.0.0 ok\r\n"))
            if verb == "DATA":
                peer.body()
                peer.say(b"250 2.0.0 ok\r\n")

    with server(script=script) as far:
        verdict = one(send_direct(zone("127.0.0.1"), far.port))
    assert (verdict.outcome, verdict.tls) == ("delivered", "")
    first, second = far.talks
    assert first.said("STARTTLS")
    assert not second.said("STARTTLS")
    assert len(second.bodies) == 1


def test_words_in_clear_behind_the_220_do_not_lead_to_a_session_in_clear(tls: Tls) -> None:
    with server(Manners(offers=("STARTTLS",), tls=tls(), after_220=b"250 x\r\n" * 1000)) as far:
        verdict = one(send_direct(zone("127.0.0.1"), far.port))
    assert verdict.outcome == "deferred"
    assert not any(talk.bodies for talk in far.talks)


def test_each_domain_of_a_message_goes_its_own_way() -> None:
    to = (*recipients(2), recipient("a@nowhere.example.com", 3), recipient("b@[127.0.0.1]", 4))
    with server() as far:
        verdicts = send_direct(zone("127.0.0.1"), far.port, message(to))
    outcomes = {number: (verdict.outcome, verdict.enhanced) for number, verdict in verdicts.items()}
    assert outcomes == {
        1: ("delivered", "2.0.0"),
        2: ("delivered", "2.0.0"),
        3: ("failed", "5.1.2"),
        4: ("delivered", "2.0.0"),
    }
    assert sorted(len(talk.said("RCPT")) for talk in far.talks) in ([1, 2], [3])


def test_no_more_than_five_addresses_are_tried() -> None:
    addresses = [f"127.0.0.{number}" for number in range(2, 9)]
    with server(host=addresses[-1]) as far:
        verdict = one(send_direct(zone(*addresses), far.port))
    assert (verdict.outcome, verdict.peer) == ("deferred", f"mx4.example.net[127.0.0.6]:{far.port}")
    assert not far.talks


def test_a_private_address_is_not_connected_to() -> None:
    with server() as far:
        verdict = one(send_direct(zone("127.0.0.1"), far.port, allow_private=False))
    assert (verdict.outcome, verdict.stage) == ("failed", "resolve")
    assert not far.talks


def test_530_from_a_strangers_server_returns_the_mail() -> None:
    with server(Manners(replies={"MAIL": b"530 5.7.0 authenticate\r\n"})) as far:
        assert one(send_direct(zone("127.0.0.1"), far.port)).outcome == "failed"


def test_530_in_clear_where_tls_was_offered_and_failed_waits() -> None:
    replies: dict[str, bytes | list[bytes]] = {
        "STARTTLS": b"454 4.7.0 not now\r\n",
        "MAIL": b"530 5.7.0 must issue STARTTLS first\r\n",
    }
    with server(Manners(offers=("STARTTLS",), replies=replies)) as far:
        assert one(send_direct(zone("127.0.0.1"), far.port)).outcome == "deferred"
