"""The names under which this machine is reached."""

from __future__ import annotations

import ipaddress
import socket

from mailadmin.certificates import names


def test_the_server_comes_first_and_the_loopback_is_there() -> None:
    found = names.of_machine("mail.example.org")
    assert found[0] == "mail.example.org"
    assert {"localhost", "127.0.0.1", "::1"} <= set(found)
    assert len(found) == len(set(found))


def test_the_machine_itself_is_among_them() -> None:
    host = socket.gethostname().lower().rstrip(".")
    assert host in names.of_machine("mail.example.org")


def test_other_addresses_are_ones_that_others_can_use() -> None:
    for name in names.of_machine("mail.example.org"):
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            continue
        assert name in {"127.0.0.1", "::1"} or not (address.is_loopback or address.is_link_local)


def test_a_server_named_as_its_address_is_taken() -> None:
    assert names.of_machine("192.0.2.9")[0] == "192.0.2.9"
