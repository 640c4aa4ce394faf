"""Who takes mail for a domain: the rules of MX against a real name server."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from smtpd.delivery.reachable import is_public
from smtpd.delivery.resolver import Host, MxResolver, NoRoute
from smtpd.smtp.client_actions import Trouble
from tests.delivery.material import HOSTNAME, run
from tests.delivery.name_server import NameServer, Zone, name_server

PUBLIC = {"A": ["203.0.113.9"]}  # documentation addresses count as not public, so most tests allow them


def hosts(
    zone: Zone, domain: str, *, allow_private: bool = True, seed: int = 1, on_asyncio: bool = False
) -> list[Host]:
    with name_server(zone) as dns:
        return run(resolver(dns, allow_private=allow_private, seed=seed).hosts(domain), on_asyncio=on_asyncio)


def resolver(dns: NameServer, *, allow_private: bool = True, seed: int = 1, seconds: float = 5) -> MxResolver:
    return MxResolver(
        hostname=HOSTNAME,
        allow_private=allow_private,
        nameservers=["127.0.0.1"],
        port=dns.port,
        seconds=seconds,
        rng=random.Random(seed),  # noqa: S311  # to repeat a test
    )


def names(found: list[Host]) -> list[str]:
    return [host.name for host in found]


def refusal(zone: Zone, domain: str, *, allow_private: bool = True) -> tuple[str, str, str]:
    with pytest.raises(NoRoute) as met:
        hosts(zone, domain, allow_private=allow_private)
    verdict = met.value.verdict
    assert verdict.outcome == "failed"
    return verdict.stage, verdict.enhanced, verdict.reply


def test_servers_come_in_the_order_of_preference(on_asyncio: bool) -> None:
    zone = {
        "example.net": {"MX": ["20 b.example.net.", "10 a.example.net.", "30 c.example.net."]},
        **{f"{letter}.example.net": {"A": [f"192.0.2.{number}"]} for number, letter in enumerate("abc")},
    }
    found = hosts(zone, "example.net", on_asyncio=on_asyncio)
    assert found == [Host(f"{letter}.example.net", f"192.0.2.{number}") for number, letter in enumerate("abc")]


def test_equal_servers_are_shuffled_and_the_others_not() -> None:
    zone = {
        "example.net": {"MX": [f"10 {letter}.example.net." for letter in "abc"] + ["20 z.example.net."]},
        **{f"{letter}.example.net": PUBLIC for letter in "abcz"},
    }
    firsts: Counter[str] = Counter()
    for seed in range(12):
        found = names(hosts(zone, "example.net", seed=seed))
        assert found[-1] == "z.example.net"
        firsts[found[0]] += 1
    assert len(firsts) == 3


def test_a_domain_without_mx_takes_its_mail_itself() -> None:
    assert names(hosts({"example.net": PUBLIC}, "example.net")) == ["example.net"]


def test_ipv6_and_ipv4_take_turns() -> None:
    zone = {"example.net": {"A": ["192.0.2.1", "192.0.2.2"], "AAAA": ["2001:db8::1"]}}
    addresses = [host.address for host in hosts(zone, "example.net")]
    assert addresses[0] == "2001:db8::1"
    assert set(addresses[1:]) == {"192.0.2.1", "192.0.2.2"}


def test_a_cname_is_followed() -> None:
    zone = {
        "alias.example.net": {"CNAME": ["example.net."]},
        "example.net": {"MX": ["10 mx.example.net."]},
        "mx.example.net": {"CNAME": ["real.example.net."]},
        "real.example.net": PUBLIC,
    }
    assert hosts(zone, "alias.example.net") == [Host("mx.example.net", "203.0.113.9")]


def test_null_mx_takes_no_mail() -> None:
    assert refusal({"example.net": {"MX": ["0 ."], **PUBLIC}}, "example.net")[:2] == ("resolve", "5.1.10")


def test_a_domain_that_does_not_exist_fails_for_good() -> None:
    stage, enhanced, words = refusal({}, "nowhere.example.net")
    assert (stage, enhanced) == ("resolve", "5.1.2")
    assert "nowhere.example.net does not exist" in words


@pytest.mark.parametrize("domain", ["a..example.net", "x" * 64 + ".example.net"])
def test_what_cannot_be_a_domain_fails_for_good(domain: str) -> None:
    assert refusal({}, domain)[:2] == ("resolve", "5.1.2")


def test_a_domain_whose_servers_have_no_address_fails_for_good() -> None:
    zone = {"example.net": {"MX": ["10 gone.example.net.", "10 empty.example.net."]}, "empty.example.net": {}}
    assert refusal(zone, "example.net")[:2] == ("resolve", "5.4.4")


def test_a_server_without_an_address_is_passed_over() -> None:
    zone = {"example.net": {"MX": ["10 gone.example.net.", "20 mx.example.net."]}, "mx.example.net": PUBLIC}
    assert names(hosts(zone, "example.net")) == ["mx.example.net"]


@pytest.mark.parametrize(
    "zone",
    [
        {"example.net": {"SERVFAIL": []}},
        {"example.net": {"MX": ["10 mx.example.net."]}, "mx.example.net": {"SERVFAIL": []}},
    ],
)
def test_a_name_server_in_trouble_defers(zone: Zone) -> None:
    with pytest.raises(Trouble) as met:
        hosts(zone, "example.net")
    verdict = met.value.verdict()
    assert (verdict.outcome, verdict.stage, verdict.enhanced) == ("deferred", "resolve", "4.4.3")
    assert "the name servers could not answer" in verdict.reply


def test_a_silent_name_server_defers() -> None:
    with name_server({"example.net": {"SILENCE": []}}) as dns, pytest.raises(Trouble, match="the time is over"):
        run(resolver(dns, seconds=0.3).hosts("example.net"))


def test_ours_and_worse_servers_are_left_out() -> None:
    zone = {
        "example.net": {"MX": ["10 a.example.net.", f"20 {HOSTNAME}.", "20 b.example.net.", "30 c.example.net."]},
        **{f"{letter}.example.net": PUBLIC for letter in "abc"},
    }
    assert names(hosts(zone, "example.net")) == ["a.example.net"]


@pytest.mark.parametrize(
    "zone",
    [
        {HOSTNAME: PUBLIC},
        {HOSTNAME: {"MX": [f"10 {HOSTNAME.upper()}."], **PUBLIC}},
        {HOSTNAME: {"MX": [f"10 {HOSTNAME}.", "10 other.example.net."], **PUBLIC}, "other.example.net": PUBLIC},
    ],
)
def test_mail_that_would_come_back_to_us_is_a_loop(zone: Zone) -> None:
    assert refusal(zone, HOSTNAME)[:2] == ("loop", "5.4.6")


@pytest.mark.parametrize(("literal", "address"), [("[192.0.2.7]", "192.0.2.7"), ("[IPv6:2001:db8::7]", "2001:db8::7")])
def test_an_address_literal_is_itself(literal: str, address: str) -> None:
    assert hosts({}, literal) == [Host(address, address)]


@pytest.mark.parametrize("literal", ["[mx.example.net]", "[192.0.2]", "[IPv6:]", "["])
def test_what_is_no_address_literal_fails(literal: str) -> None:
    assert refusal({}, literal)[:2] == ("resolve", "5.1.2")


@pytest.mark.parametrize("address", ["127.0.0.1", "10.1.2.3", "192.168.1.1", "169.254.169.254"])
def test_private_addresses_are_refused(address: str) -> None:
    stage, enhanced, words = refusal({"example.net": {"A": [address]}}, "example.net", allow_private=False)
    assert (stage, enhanced) == ("resolve", "5.4.4")
    assert address in words
    assert refusal({}, f"[{address}]", allow_private=False)[:2] == ("resolve", "5.4.4")


def test_a_private_address_among_public_ones_is_passed_over() -> None:
    zone = {"example.net": {"A": ["10.0.0.1", "8.8.8.8"], "AAAA": ["::1"]}}
    assert hosts(zone, "example.net", allow_private=False) == [Host("example.net", "8.8.8.8")]


@pytest.mark.parametrize(
    "address",
    ["0.0.0.1", "100.64.0.1", "224.0.0.1", "255.255.255.255", "::", "::1", "fe80::1", "fd00::1", "ff02::1",
     "::ffff:127.0.0.1", "::ffff:10.0.0.1", "2002:7f00:1::", "64:ff9b::a00:1", "not an address"],
)  # fmt: skip
def test_no_special_address_is_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "64:ff9b::808:808", "::ffff:8.8.8.8"])
def test_addresses_of_the_internet_are_public(address: str) -> None:
    assert is_public(address)


def test_an_answer_is_kept_as_long_as_it_says() -> None:
    async def twice(asked: MxResolver) -> None:
        await asked.hosts("example.net")
        await asked.hosts("example.net")

    zone = {
        "example.net": {"MX": ["10 mx.example.net."]},
        "mx.example.net": {"A": ["192.0.2.1"], "AAAA": ["2001:db8::1"]},
    }
    for ttl, questions in ((300, 3), (0, 6)):
        with name_server(zone, ttl) as dns:
            run(twice(resolver(dns)))
        assert len(dns.asked) == questions


def test_a_failed_answer_is_not_kept() -> None:
    async def again(asked: MxResolver, dns: NameServer) -> list[Host]:
        with pytest.raises(Trouble):
            await asked.hosts("example.net")
        dns.zone = {"example.net": PUBLIC}
        return await asked.hosts("example.net")

    with name_server({"example.net": {"SERVFAIL": []}}) as dns:
        assert run(again(resolver(dns), dns))
