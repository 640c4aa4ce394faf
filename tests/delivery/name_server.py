"""A name server on loopback that answers from a small zone, over UDP."""

from __future__ import annotations

import socket
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

# name -> kind -> records; a name that is absent does not exist. A kind "SERVFAIL" or "SILENCE" does that to every
# question about the name.
Zone = Mapping[str, Mapping[str, list[str]]]
_ABSENT: Mapping[str, list[str]] = {}


class NameServer:
    """Answers until closed, and counts the questions."""

    def __init__(self, zone: Zone, ttl: int) -> None:
        self.zone = zone
        self.ttl = ttl
        self.asked: list[tuple[str, str]] = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        """Stop answering."""
        # A datagram to ourselves ends the wait.
        with suppress(OSError):
            self._socket.sendto(b"", self._socket.getsockname())

    def _serve(self) -> None:
        with self._socket:
            while True:
                octets, client = self._socket.recvfrom(4096)
                if not octets:
                    return
                answer = self._answer(dns.message.from_wire(octets))
                if answer is not None:
                    self._socket.sendto(answer.to_wire(), client)

    def _answer(self, query: dns.message.Message) -> dns.message.Message | None:
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True).lower()
        kind = dns.rdatatype.to_text(question.rdtype)
        self.asked.append((name, kind))
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.RA
        asked_for = question.name
        records = self.zone.get(name, _ABSENT)
        while "CNAME" in records:
            answer.answer.append(dns.rrset.from_text(asked_for, self.ttl, "IN", "CNAME", records["CNAME"][0]))
            asked_for = dns.name.from_text(records["CNAME"][0])
            records = self.zone.get(asked_for.to_text(omit_final_dot=True).lower(), _ABSENT)
        if "SILENCE" in records:
            return None
        if "SERVFAIL" in records:
            answer.set_rcode(dns.rcode.SERVFAIL)
        elif records is _ABSENT:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        elif kind in records:
            answer.answer.append(dns.rrset.from_text(asked_for, self.ttl, "IN", kind, *records[kind]))
        return answer


@contextmanager
def name_server(zone: Zone, ttl: int = 300) -> Generator[NameServer, None, None]:
    """Run a name server."""
    running = NameServer(zone, ttl)
    try:
        yield running
    finally:
        running.close()
