"""The line between supervisor and child: whole messages, sockets along with them, and no trust in what a child says."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import closing

import pytest

from smtpd.channel import (
    PACKET_LIMIT,
    Channel,
    ChannelClosedError,
    Message,
    NonsenseError,
    Open,
    Ping,
    Status,
    Want,
    endpoints_of,
)


@pytest.fixture
def line() -> Iterator[tuple[Channel, Channel]]:
    """Both ends of a line."""
    one, other = Channel.pair()
    with closing(one), closing(other):
        yield one, other


def _raw() -> tuple[socket.socket, Channel]:
    """Return an end that can say anything, and the end that hears it."""
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    return one, Channel(other)


def _send_many(channel: Channel, count: int) -> None:
    for _ in range(count):
        channel.send(Ping())


def test_messages_arrive_whole_and_in_their_order(line: tuple[Channel, Channel]) -> None:
    one, other = line
    sent: list[Message] = [Want(7, [("mx", "::1", 25)]), Ping(), Status(1, "2026-01-01", 7, ["a\nb", "ü"])]
    for message in sent:
        one.send(message)
    received = [message for message, _ in other.receive()]
    assert received == [Want(7, [["mx", "::1", 25]]), *sent[1:]]  # type: ignore[list-item]  # JSON has no tuples
    assert endpoints_of(received[0]) == [("mx", "::1", 25)]  # type: ignore[arg-type]  # it is a Want


def test_a_listening_socket_travels_along_and_still_listens(line: tuple[Channel, Channel]) -> None:
    one, other = line
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        one.send(Open("127.0.0.1", 25), server)
        address = server.getsockname()
    ((message, passed),) = other.receive()
    assert message == Open("127.0.0.1", 25)
    assert passed is not None
    with closing(passed), closing(socket.create_connection(address)):
        passed.settimeout(5)
        passed.accept()[0].close()


def test_the_end_of_the_other_process_is_heard(line: tuple[Channel, Channel]) -> None:
    one, other = line
    one.send(Ping())
    one.close()
    with pytest.raises(ChannelClosedError):
        list(other.receive())
    with pytest.raises(ChannelClosedError):
        other.send(Ping())


@pytest.mark.parametrize(
    "packet",
    [
        b"\x80\x04\x95",
        b"[]",
        b'["Nothing", {}]',
        b'["Ping", {"more": 1}]',
        b'["Want", {"generation": 1}]',
        json.dumps(["Ping", {"x": "y" * PACKET_LIMIT}]).encode(),
    ],
)
def test_what_is_no_message_of_ours_is_refused(packet: bytes) -> None:
    sender, channel = _raw()
    with closing(sender), closing(channel):
        sender.send(packet)
        with pytest.raises(NonsenseError):
            list(channel.receive())


@pytest.mark.parametrize("endpoint", [["mx", "::1"], ["mx", "::1", "x"], 7])
def test_what_is_no_endpoint_is_refused(endpoint: object) -> None:
    with pytest.raises(NonsenseError):
        endpoints_of(Want(1, [endpoint]))  # type: ignore[list-item]  # the point


def test_a_child_that_does_not_read_makes_the_sender_give_up_and_not_wait(line: tuple[Channel, Channel]) -> None:
    one, _ = line
    with pytest.raises(ChannelClosedError):
        _send_many(one, 100_000)
