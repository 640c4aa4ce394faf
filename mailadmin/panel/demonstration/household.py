"""The people of the demonstration, what they sent in nine days, and what other servers said to it (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from mailadmin.queue.envelopes import Verdict

DOMAIN: Final = "example.org"
HOSTNAME: Final = "mail.example.org"
SMARTHOST: Final = "smtp.provider.example"
PEER: Final = f"{SMARTHOST}[198.51.100.25]:587"
TLS: Final = "TLSv1.3 TLS_AES_256_GCM_SHA384"
OLD_TLS: Final = "TLSv1.2 ECDHE-RSA-AES128-GCM-SHA256"


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody, or some machine, with an account."""

    key: str
    name: str
    client: str
    helo: str
    mechanism: str = "PLAIN"
    listener: str = "submission"
    tls: str = TLS
    note: str = ""
    senders: tuple[str, ...] = ()

    @property
    def address(self) -> str:
        """The login."""
        return f"{self.key}@{DOMAIN}"


HANAKO: Final = Member("hanako", "Hanako Sato", "2001:db8:17::a4", "[192.0.2.21]", note="Runs this server.")
ICHIRO: Final = Member("ichiro", "Ichiro Becky", "192.0.2.34", "ICHIRO-PC", mechanism="LOGIN", tls=OLD_TLS)
OLGA: Final = Member("olga", "Olga Express", "192.0.2.52", "olga-laptop", senders=("olga+*@example.org",))
YUKI: Final = Member("yuki", "佐藤 雪", "2001:db8:17::c1", "[127.0.0.1]", listener="submissions", note="高校2年生")
SCANNER: Final = Member(
    "scanner", "Scanner in the hall", "192.0.2.200", "BRW008092", mechanism="LOGIN", note="Sends scans to the family."
)
SVEN: Final = Member("sven", "Sven Suspended", "203.0.113.90", "svens-phone", note="Moved out in October.")
MEMBERS: Final = (HANAKO, ICHIRO, OLGA, YUKI, SCANNER, SVEN)


@dataclass(frozen=True, slots=True)
class Sent:
    """A message: how long ago, by whom, to whom, and what came of each try (the last one repeats)."""

    ago: timedelta
    by: Member
    to: tuple[str, ...]
    subject: str
    size: int
    tries: tuple[Verdict, ...]


def _took(reply: str) -> Verdict:
    return Verdict("delivered", "data", 250, "2.0.0", reply, PEER, TLS, dsn=True)


TAKEN: Final = _took("Ok: queued as 4XyQ2k1m9Zz3fPd")
KEPT: Final = Verdict("delivered", "mailbox", 0, "2.0.0", "stored", f"maildir {DOMAIN}", "")
GREYLISTED: Final = Verdict(
    "deferred", "rcpt", 450, "4.2.0", "Greylisted, see https://postgrey.example/help", PEER, TLS
)
FULL: Final = Verdict("deferred", "rcpt", 452, "4.2.2", "The recipient's inbox is out of storage space", PEER, TLS)
AWAY: Final = Verdict("deferred", "connect", 0, "4.4.1", "connection timed out after 30 s", "mx.school.example:25")
UNKNOWN: Final = Verdict("failed", "rcpt", 550, "5.1.1", "<tanaka.ken@example.net>: user unknown", PEER, TLS)
TOO_BIG: Final = Verdict("failed", "data", 552, "5.3.4", "Message size exceeds fixed limit of 25 MB", PEER, TLS)

_TO: Final = (
    "tanaka@example.com",
    "mika.ito@example.net",
    "info@bakery.example",
    "sensei@school.example",
    "grandma@example.com",
    "support@shop.example",
    "yamada@example.net",
)
_SUBJECTS: Final = (
    "Re: 来週の予定",
    "Photos from Sunday",
    "Re: Order 8812",
    "見積もりのお願い",
    "Lunch on Friday?",
    "Re: 保護者会について",
    "Tickets",
)
# Hours before now at which somebody sent something of no consequence.
_ROUTINE: Final = (
    *(0.4, 1.1, 2.2, 3.0, 3.9, 5.5, 7.2, 9.4, 11.0, 13.5, 22.1, 24.3, 25.0, 27.8, 30.1, 33.3, 36.9, 47.0, 49.2),
    *(50.8, 53.3, 57.7, 70.1, 72.0, 75.5, 79.9, 82.2, 95.0, 98.4, 101.1, 104.7, 118.0, 121.2, 124.9, 127.7, 142.0),
    *(146.6, 149.1, 152.3, 166.8, 171.4, 174.0, 178.8, 190.2, 194.9, 199.9, 204.4, 209.0, 213.1),
)


def routine() -> list[Sent]:
    """Return the mail that went its way at once."""
    senders = (HANAKO, ICHIRO, OLGA, YUKI, HANAKO, OLGA)
    return [
        Sent(
            timedelta(hours=hours),
            senders[at % len(senders)],
            (_TO[at * 3 % len(_TO)],) if at % 5 else (_TO[at % len(_TO)], f"ichiro@{DOMAIN}"),
            _SUBJECTS[at % len(_SUBJECTS)],
            2_100 + at * 3_517 % 88_000,
            (TAKEN,),
        )
        for at, hours in enumerate(_ROUTINE)
    ]


def _ago(hours: float = 0, minutes: float = 0) -> timedelta:
    return timedelta(hours=hours, minutes=minutes)


REMARKABLE: Final[Sequence[Sent]] = (
    Sent(_ago(hours=26), SCANNER, (HANAKO.address, ICHIRO.address), "Scan 2291", 1_240_000, (KEPT,)),
    Sent(_ago(hours=51), ICHIRO, ("tanaka.ken@example.net",), "同窓会のご案内", 8_411, (UNKNOWN,)),
    Sent(_ago(hours=6), OLGA, ("video@studio.example",), "The film of the wedding", 31_800_000, (TOO_BIG,)),
    Sent(_ago(hours=29), HANAKO, ("club@example.net",), "Programme", 5_120, (GREYLISTED, GREYLISTED, TAKEN)),
    Sent(_ago(hours=9), YUKI, ("花子@例え.example",), "ありがとう", 3_310, (TAKEN,)),
    Sent(_ago(hours=3, minutes=20), YUKI, ("office@school.example",), "欠席届", 4_902, (AWAY,)),
    Sent(_ago(minutes=40), OLGA, ("uncle@example.com",), "Happy birthday!", 640_211, (FULL,)),
    Sent(
        _ago(minutes=55),
        HANAKO,
        ("mika.ito@example.net", "yamada@example.net", "club@example.net", "info@bakery.example"),
        "町内会 夏祭りのお知らせ",
        22_480,
        (TAKEN, TAKEN, GREYLISTED, TAKEN),
    ),
    Sent(_ago(minutes=9), SCANNER, (OLGA.address,), "Scan 2304", 890_400, (KEPT,)),
)
