"""The probe behind the Test button: every step is told, the first that fails ends it."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest
import trustme

from smtpd.delivery.probe import PATIENCE, Step, probe
from smtpd.delivery.resolver import MxResolver
from tests.cast import BECKY
from tests.delivery.conftest import Tls
from tests.delivery.material import HOSTNAME, SHORT, run
from tests.delivery.name_server import name_server
from tests.delivery.scripted import HANG, Manners, server
from tests.ground.daemon import wait_until

OFFERS = ("PIPELINING", "STARTTLS", "AUTH PLAIN LOGIN")
USERS = {BECKY.address: BECKY.password}
Told = tuple[bool, list[Step]]


def try_it(target: Mapping[str, object], password: str | None = BECKY.password) -> Told:
    told = run(probe(target, password, hostname=HOSTNAME, timeouts=SHORT))
    json.dumps(told)  # it becomes a row
    return told


def smarthost(port: int, tls: str = "starttls", ca: str = "", user: str = BECKY.address) -> dict[str, object]:
    return {"via": "smarthost", "host": "localhost", "port": port, "tls": tls, "username": user, "ca_pem": ca}


def names(steps: list[Step]) -> list[str]:
    return [step["step"] for step in steps]


def last(told: Told) -> Step:
    ok, steps = told
    assert not ok
    assert all(step["ok"] for step in steps[:-1])
    assert not steps[-1]["ok"]
    return steps[-1]


def test_starttls_takes_every_step_and_sends_no_message(tls: Tls, ca_pem: str) -> None:
    with server(Manners(offers=OFFERS, tls=tls(), users=USERS)) as far:
        ok, steps = try_it(smarthost(far.port, ca=ca_pem))
    assert ok
    assert names(steps) == ["connect", "banner", "ehlo", "starttls", "certificate", "auth", "mail"]
    text = {step["step"]: step["text"] for step in steps}
    assert text["connect"] == f"Connected to localhost[127.0.0.1]:{far.port}"
    assert text["banner"] == "220 mx.test ESMTP"
    assert text["ehlo"].startswith("250-mx.test\n250-PIPELINING\n")
    assert text["starttls"].startswith("TLSv1.3")
    assert text["certificate"].startswith("Certificate for localhost, 127.0.0.1; issued by ")
    assert text["auth"] == "235 2.7.0 welcome"
    (talk,) = far.talks
    assert talk.said("MAIL") == [f"MAIL FROM:<{BECKY.address}>"]
    # The far side may still be reading when the probe has its answer.
    wait_until(lambda: talk.commands[-2:] == ["RSET", "QUIT"], "RSET and QUIT end it")
    assert not talk.bodies


def test_tls_from_the_start_comes_before_the_banner(tls: Tls, ca_pem: str) -> None:
    with server(Manners(offers=OFFERS, tls=tls(), implicit=True, users=USERS)) as far:
        ok, steps = try_it(smarthost(far.port, "implicit", ca_pem))
    assert ok
    assert names(steps) == ["connect", "tls", "certificate", "banner", "ehlo", "auth", "mail"]


def test_a_smarthost_without_a_user_is_not_asked_for_auth() -> None:
    with server() as far:
        ok, steps = try_it(smarthost(far.port, "none", user=""), None)
    assert ok
    assert names(steps) == ["connect", "banner", "ehlo", "mail"]
    assert far.talks[0].said("MAIL") == ["MAIL FROM:<>"]


@pytest.mark.parametrize("kind", ["starttls", "implicit"])
@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("expired", "has expired"),
        ("unknown-ca", "an authority that is not trusted here"),
        ("wrong-name", "Certificate for mail.example.net; issued by"),
    ],
)
def test_a_certificate_that_does_not_hold_is_told_with_its_names(
    kind: str, reason: str, words: str, tls: Tls, ca_pem: str
) -> None:
    context = tls(
        *(["mail.example.net"] if reason == "wrong-name" else []),
        expired=reason == "expired",
        by=trustme.CA() if reason == "unknown-ca" else None,
    )
    with server(Manners(offers=OFFERS, tls=context, implicit=kind == "implicit", users=USERS)) as far:
        step = last(try_it(smarthost(far.port, kind, ca_pem)))
    assert (step["step"], step["reason"]) == ("certificate", reason)
    assert words in step["text"]
    assert "SHA-256" in step["text"]
    assert not any(talk.said("AUTH") for talk in far.talks)


def test_a_refused_password_shows_the_raw_reply(tls: Tls, ca_pem: str) -> None:
    with server(Manners(offers=OFFERS, tls=tls())) as far:
        step = last(try_it(smarthost(far.port, ca=ca_pem)))
    assert step == {
        "step": "auth",
        "ok": False,
        "text": "535 5.7.8 wrong user name or password",
        "reason": "auth-refused",
    }


def test_a_password_is_not_sent_in_clear_by_a_test_either() -> None:
    with server(Manners(offers=OFFERS, users=USERS)) as far:
        step = last(try_it(smarthost(far.port, "none")))
    assert (step["step"], step["reason"]) == ("auth", "clear-password")
    assert not far.talks[0].said("AUTH")


@pytest.mark.parametrize(
    ("manners", "name", "words"),
    [
        (Manners(banner=b"554 5.7.1 go away\r\n"), "banner", "554 5.7.1 go away"),
        (Manners(banner=HANG), "banner", "kept us waiting for its greeting"),
        (Manners(banner=b"HTTP/1.1 400 Bad\r\n"), "banner", "does not speak SMTP"),
        (Manners(replies={"EHLO": b"550 5.7.1 who?\r\n"}), "ehlo", "550 5.7.1 who?"),
        (Manners(offers=()), "starttls", "does not offer STARTTLS"),
        (Manners(offers=("STARTTLS",), replies={"STARTTLS": b"454 4.7.0 no\r\n"}), "starttls", "454 4.7.0 no"),
    ],
)
def test_the_step_that_fails_is_named(manners: Manners, name: str, words: str) -> None:
    with server(manners) as far:
        step = last(try_it(smarthost(far.port)))
    assert step["step"] == name
    assert words in step["text"]


def test_a_sender_that_is_refused_is_told() -> None:
    with server(Manners(replies={"MAIL": b"530 5.7.0 authentication required\r\n"})) as far:
        step = last(try_it(smarthost(far.port, "none", user="")))
    assert (step["step"], step["text"]) == ("mail", "530 5.7.0 authentication required")


def test_the_port_of_the_other_kind_of_tls_is_told_in_words(tls: Tls, ca_pem: str) -> None:
    with server(Manners(offers=OFFERS, tls=tls(), users=USERS)) as far:
        step = last(try_it(smarthost(far.port, "implicit", ca_pem)))
    assert step["step"] == "tls"
    with server(Manners(offers=OFFERS, tls=tls(), implicit=True, users=USERS)) as far:
        step = last(try_it(smarthost(far.port, "starttls", ca_pem)))
    assert step["step"] == "banner"


def test_a_server_that_is_not_there_fails_at_connect_or_resolve() -> None:
    with server() as gone:
        pass
    assert last(try_it(smarthost(gone.port)))["step"] == "connect"
    step = last(try_it({**smarthost(587), "host": "no-such-host.invalid"}))
    assert (step["step"], step["reason"]) == ("resolve", "unknown-host")


@pytest.mark.parametrize(
    "target", [{}, {"host": "localhost"}, {"host": "", "port": 1, "tls": "none"}, {"host": "a", "port": 25, "tls": "x"}]
)
def test_a_target_that_is_none_is_told_in_words(target: dict[str, object]) -> None:
    assert last(try_it(target))["reason"] == "bad-target"


def test_a_test_is_over_before_the_runner_counts_as_dead() -> None:
    assert PATIENCE.total < 110


# Direct delivery.


def try_direct(address: str, port: int, domain: str = "example.net") -> Told:
    zone = {"example.net": {"MX": ["10 mx.example.net."]}, "mx.example.net": {"A": [address]}}
    with name_server(zone) as dns:
        resolver = MxResolver(hostname=HOSTNAME, allow_private=True, nameservers=["127.0.0.1"], port=dns.port)
        target = {"via": "mx", "domain": domain}
        return run(probe(target, hostname=HOSTNAME, resolver=resolver, mx_port=port, timeouts=SHORT))


def test_direct_delivery_is_tried_up_to_tls(tls: Tls) -> None:
    with server(Manners(offers=("STARTTLS",), tls=tls("mx.example.net"))) as far:
        ok, steps = try_direct("127.0.0.1", far.port)
    assert ok
    assert names(steps) == ["resolve", "connect", "banner", "ehlo", "starttls", "certificate"]
    assert steps[0]["text"] == "mx.example.net [127.0.0.1]"
    assert "not verified" in steps[-1]["text"]
    assert not far.talks[0].said("MAIL")


def test_a_blocked_port_25_is_told_with_what_to_do() -> None:
    with server() as gone:
        pass
    step = last(try_direct("127.0.0.1", gone.port))
    assert (step["step"], step["reason"]) == ("connect", "op25b")
    assert "OP25B" in step["text"]
    assert "smarthost" in step["text"]


def test_a_domain_that_does_not_exist_fails_at_resolve() -> None:
    step = last(try_direct("127.0.0.1", 25, "nowhere.example.net"))
    assert step["step"] == "resolve"
    assert "does not exist" in step["text"]
