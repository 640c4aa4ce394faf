"""TLS with smarthosts: verified or nothing. And no password without it, whatever the server does."""

from __future__ import annotations

import ssl
from dataclasses import dataclass

import pytest
import trustme

from mailadmin.queue.envelopes import Verdict
from tests.cast import BECKY
from tests.delivery.conftest import Tls
from tests.delivery.material import SHORT, agent, one, send, smarthost
from tests.delivery.scripted import Manners, Peer, ScriptedServer, server

OFFERS = ("PIPELINING", "STARTTLS", "AUTH PLAIN LOGIN")
USERS = {BECKY.address: BECKY.password}


def try_it(far: ScriptedServer, tls: str, ca: str, *, host: str = "localhost", on_asyncio: bool = False) -> Verdict:
    way = smarthost(far.port, tls=tls, user=BECKY.address, password=BECKY.password, ca=ca, host=host)
    return one(send(agent(way, timeouts=SHORT), on_asyncio=on_asyncio))


@pytest.fixture(params=["starttls", "implicit"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def no_password_was_heard(far: ScriptedServer) -> bool:
    return not any(talk.said("AUTH") or talk.bodies for talk in far.talks)


def test_both_kinds_of_tls_carry_a_password_and_a_message(kind: str, tls: Tls, ca_pem: str, on_asyncio: bool) -> None:
    with server(Manners(offers=OFFERS, tls=tls(), implicit=kind == "implicit", users=USERS)) as far:
        verdict = try_it(far, kind, ca_pem, on_asyncio=on_asyncio)
    assert verdict.outcome == "delivered"
    assert verdict.tls.startswith("TLSv1.3 TLS_")
    (talk,) = far.talks
    assert talk.tls
    assert len(talk.bodies) == 1


def test_login_works_where_plain_is_not_offered(tls: Tls, ca_pem: str) -> None:
    with server(Manners(offers=("STARTTLS", "AUTH LOGIN"), tls=tls(), users=USERS)) as far:
        assert try_it(far, "starttls", ca_pem).outcome == "delivered"


@dataclass(frozen=True)
class Fault:
    """What is wrong with a certificate, and our words for it."""

    words: str
    names: tuple[str, ...] = ()
    expired: bool = False
    strange: bool = False


@pytest.mark.parametrize(
    "fault",
    [
        Fault("has expired", expired=True),
        Fault("an authority that is not trusted here", strange=True),
        Fault("is not for localhost", names=("mail.example.net",)),
    ],
)
def test_a_certificate_that_does_not_hold_stops_everything(kind: str, tls: Tls, ca_pem: str, fault: Fault) -> None:
    context = tls(*fault.names, expired=fault.expired, by=trustme.CA() if fault.strange else None)
    with server(Manners(offers=OFFERS, tls=context, implicit=kind == "implicit", users=USERS)) as far:
        verdict = try_it(far, kind, ca_pem)
    assert (verdict.outcome, verdict.stage, verdict.enhanced) == ("deferred", "tls", "4.7.5")
    assert fault.words in verdict.reply
    assert no_password_was_heard(far)


def test_the_systems_authorities_do_not_vouch_for_a_household_without_its_own(kind: str, tls: Tls) -> None:
    with server(Manners(offers=OFFERS, tls=tls(), implicit=kind == "implicit", users=USERS)) as far:
        verdict = try_it(far, kind, "")
    assert (verdict.outcome, verdict.stage) == ("deferred", "tls")
    assert no_password_was_heard(far)


def test_the_name_counts_and_not_the_address_it_leads_to(kind: str, tls: Tls, ca_pem: str) -> None:
    manners = Manners(offers=OFFERS, tls=tls("127.0.0.1"), implicit=kind == "implicit", users=USERS)
    with server(manners) as far:
        assert try_it(far, kind, ca_pem).stage == "tls"
        assert try_it(far, kind, ca_pem, host="127.0.0.1").outcome == "delivered"


def test_a_server_that_offers_no_starttls_gets_nothing() -> None:
    with server(Manners(offers=("AUTH PLAIN LOGIN",), users=USERS)) as far:
        verdict = try_it(far, "starttls", "")
    assert (verdict.outcome, verdict.stage, verdict.enhanced) == ("deferred", "tls", "4.7.4")
    assert "does not offer STARTTLS" in verdict.reply
    assert far.talks[0].commands == ["EHLO mail.example.org"]


def test_a_server_that_takes_its_offer_of_starttls_back_gets_nothing() -> None:
    with server(Manners(offers=OFFERS, replies={"STARTTLS": b"454 4.7.0 no entropy\r\n"}, users=USERS)) as far:
        verdict = try_it(far, "starttls", "")
    assert (verdict.outcome, verdict.stage, verdict.code, verdict.reply) == ("deferred", "tls", 454, "no entropy")
    assert no_password_was_heard(far)


@pytest.mark.parametrize("junk", [b"2", b"250-mx\r\n250 AUTH PLAIN\r\n", b"250 x\r\n" * 10_000])
def test_words_in_clear_behind_the_220_are_an_attack(junk: bytes, tls: Tls, ca_pem: str, on_asyncio: bool) -> None:
    with server(Manners(offers=OFFERS, tls=tls(), after_220=junk, users=USERS)) as far:
        verdict = try_it(far, "starttls", ca_pem, on_asyncio=on_asyncio)
    assert (verdict.outcome, verdict.stage) == ("deferred", "tls")
    assert "tampering" in verdict.reply or "TLS" in verdict.reply
    assert no_password_was_heard(far)


def test_a_server_that_says_220_and_hangs_is_given_up(ca_pem: str) -> None:
    def script(peer: Peer) -> None:
        peer.say(b"220 mx\r\n")
        peer.line()
        peer.say(b"250-mx\r\n250 STARTTLS\r\n")
        peer.line()
        peer.say(b"220 go\r\n")
        while peer.sock.recv(4096):
            pass

    with server(script=script) as far:
        way = smarthost(far.port, tls="starttls", ca=ca_pem)
        limits = SHORT.scaled(0.3)
        verdict = one(send(agent(way, timeouts=limits)))
    assert (verdict.outcome, verdict.stage) == ("deferred", "tls")
    assert "did not finish the TLS handshake in time" in verdict.reply


def test_a_server_that_speaks_in_clear_where_tls_comes_first_is_told_in_words(ca_pem: str) -> None:
    with server(Manners(users=USERS)) as far:
        verdict = try_it(far, "implicit", ca_pem)
    assert (verdict.outcome, verdict.stage) == ("deferred", "tls")
    assert "not TLS" in verdict.reply or "in clear" in verdict.reply
    assert no_password_was_heard(far)


def test_a_refused_password_defers_with_the_servers_words(tls: Tls, ca_pem: str) -> None:
    with server(Manners(offers=OFFERS, tls=tls())) as far:
        verdict = try_it(far, "starttls", ca_pem)
    assert verdict.outcome == "deferred"
    assert (verdict.stage, verdict.code, verdict.enhanced) == ("auth", 535, "4.7.8")
    assert verdict.reply == "wrong user name or password"
    assert not far.talks[0].said("MAIL")


def test_a_password_never_goes_over_a_connection_without_tls() -> None:
    with server(Manners(offers=("AUTH PLAIN LOGIN",), users=USERS)) as far:
        verdict = try_it(far, "none", "")
    assert (verdict.outcome, verdict.stage) == ("deferred", "auth")
    assert "never sent in clear" in verdict.reply
    assert no_password_was_heard(far)


def test_a_ca_certificate_that_is_none_is_told_in_words(tls: Tls) -> None:
    with server(Manners(offers=OFFERS, tls=tls(), users=USERS)) as far:
        verdict = try_it(far, "starttls", "-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n")
    assert (verdict.outcome, verdict.stage) == ("deferred", "tls")
    assert "PEM" in verdict.reply


def test_a_household_may_trust_one_servers_own_certificate() -> None:
    leaf = trustme.CA().issue_cert("localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    leaf.configure_cert(context)
    with server(Manners(offers=OFFERS, tls=context, users=USERS)) as far:
        verdict = try_it(far, "starttls", leaf.cert_chain_pems[0].bytes().decode())
    assert verdict.outcome == "delivered"


def test_the_next_smarthost_is_tried_when_tls_fails(tls: Tls, ca_pem: str) -> None:
    bad = Manners(offers=OFFERS, tls=tls(expired=True), users=USERS)
    with server(bad) as first, server(Manners(offers=OFFERS, tls=tls(), users=USERS)) as second:
        ways = [
            smarthost(far.port, tls="starttls", user=BECKY.address, password=BECKY.password, ca=ca_pem)
            for far in (first, second)
        ]
        assert one(send(agent(*ways))).outcome == "delivered"
