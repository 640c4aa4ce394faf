"""What people type for hosts, patterns and LMTP servers."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from mailadmin.certificates import x509
from mailadmin.routing import targets
from mailadmin.routing.targets import SmarthostInput


@pytest.mark.parametrize(
    ("typed", "host", "port"),
    [
        ("relay.example.net:465", "relay.example.net", 465),
        ("Relay.Example.NET.:25", "relay.example.net", 25),
        ("relay.example.net", "relay.example.net", 587),
        ("192.0.2.1:2525", "192.0.2.1", 2525),
        ("[2001:db8::1]:25", "2001:db8::1", 25),
        ("[2001:db8::1]", "2001:db8::1", 587),
        ("2001:db8::1", "2001:db8::1", 587),
        ("例え.jp:25", "xn--r8jz45g.jp", 25),
        ("localhost:1", "localhost", 1),
    ],
)
def test_host_and_port_are_read(typed: str, host: str, port: int) -> None:
    assert targets.host_and_port(typed, default_port=587) == (host, port)


@pytest.mark.parametrize(
    "typed",
    [
        "",
        ":25",
        "relay:",
        "relay:0",
        "relay:65536",
        "relay:smtp",
        "relay:-1",
        "relay:²",
        "re lay:25",
        "a\0b:25",
        "[::1:25",
    ],
)
def test_what_is_no_host_and_port_is_refused(typed: str) -> None:
    with pytest.raises(ValueError, match=r"port|domain"):
        targets.host_and_port(typed, default_port=587)


def test_a_port_that_has_no_default_must_be_there() -> None:
    with pytest.raises(ValueError, match="port is missing"):
        targets.host_and_port("relay.example.net")


@pytest.mark.parametrize(
    ("typed", "normal"),
    [
        ("*", "*"),
        (" * ", "*"),
        ("Example.ORG", "example.org"),
        ("*.Example.ORG", "*.example.org"),
        ("*.例え.jp", "*.xn--r8jz45g.jp"),
    ],
)
def test_a_pattern_has_one_normal_form(typed: str, normal: str) -> None:
    assert targets.pattern(typed) == normal


@pytest.mark.parametrize("typed", ["", "**", "*.", "a.*", "*example.org", "a@example.org"])
def test_what_is_no_pattern_is_refused(typed: str) -> None:
    with pytest.raises(ValidationError, match="not a pattern"):
        targets.pattern(typed)


@pytest.mark.parametrize(
    ("typed", "normal"),
    [
        ("localhost:24", "localhost:24"),
        ("[::1]:24", "[::1]:24"),
        ("/run/dovecot/lmtp", "/run/dovecot/lmtp"),
    ],
)
def test_an_lmtp_server_is_a_port_or_a_socket(typed: str, normal: str) -> None:
    assert targets.lmtp_target(typed) == normal


@pytest.mark.parametrize("typed", ["", "localhost", "lmtp", "run/lmtp", "/" + "x" * 200, "/a\0b"])
def test_what_is_no_lmtp_server_is_refused(typed: str) -> None:
    with pytest.raises(ValidationError) as refused:
        targets.lmtp_target(typed)
    assert "lmtp_target" in refused.value.message_dict


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"host": ""}, "host"),
        ({"host": "not a host"}, "host"),
        ({"port": 0}, "port"),
        ({"port": 70000}, "port"),
        ({"tls": "ssl3"}, "tls"),
        ({"username": "a\r\nb"}, "username"),
        ({"password": "a\0b"}, "username"),
        ({"ca_pem": "nonsense"}, "ca_pem"),
        ({"ca_pem": "x" * 70_000}, "ca_pem"),
    ],
)
def test_a_wrong_smarthost_is_refused_under_its_field(values: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError) as refused:
        targets.smarthost(SmarthostInput(**{"host": "relay.example.net", **values}))
    assert field in refused.value.message_dict


def test_a_smarthosts_authority_is_kept_as_given(now: datetime) -> None:
    pem = x509.self_signed(["relay.example.net"], now).chain_pem
    assert targets.smarthost(SmarthostInput("relay.example.net", ca_pem=f"\n{pem}\n\n")).ca_pem == pem


@pytest.mark.parametrize(
    ("tls", "username", "has_password", "field"),
    [
        ("none", "u", True, "tls"),
        ("none", "u", False, "tls"),
        ("none", "", True, "tls"),
        ("starttls", "u", False, "password"),
        ("implicit", "", True, "username"),
    ],
)
def test_a_password_goes_with_a_user_and_never_without_tls(
    tls: str, username: str, field: str, *, has_password: bool
) -> None:
    with pytest.raises(ValidationError) as refused:
        targets.check_credentials(tls, username, has_password=has_password)
    assert field in refused.value.message_dict


@pytest.mark.parametrize(
    ("tls", "username", "has_password"), [("none", "", False), ("starttls", "u", True), ("implicit", "", False)]
)
def test_a_sound_login_passes(tls: str, username: str, *, has_password: bool) -> None:
    targets.check_credentials(tls, username, has_password=has_password)
