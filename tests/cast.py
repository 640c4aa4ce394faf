"""One cast of people for all tests, the documentation and the demonstration.

The domain is the household's; the stranger lives elsewhere and has no account. Everybody's name says what they are
there for, and each has one address and one password.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

DOMAIN: Final = "example.org"
ELSEWHERE: Final = "example.net"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with an address and, unless a stranger, an account.

    Args:
        name: as the panel shows it.
        address: the login, in normal form.
        password: the one that works.
        is_administrator: whether the panel is theirs.
        suspended: whether the account is suspended.
    """

    name: str
    address: str
    password: str
    is_administrator: bool = False
    suspended: bool = False


ADMINISTRATOR: Final = Person("Hanako Sato", f"hanako@{DOMAIN}", "soba-noren-kumo-7316", is_administrator=True)
BECKY: Final = Person("Ichiro Becky", f"ichiro@{DOMAIN}", "mikan-kotatsu-yuki-2290")
OUTLOOK: Final = Person("Olga Express", f"olga@{DOMAIN}", "tulip-canal-bicycle-5581")
SUSPENDED: Final = Person("Sven Suspended", f"sven@{DOMAIN}", "herring-fjord-lantern-4407", suspended=True)
STRANGER: Final = Person("Stranger", f"stranger@{ELSEWHERE}", "no-account-has-this-0000")

ACCOUNTS: Final = (ADMINISTRATOR, BECKY, OUTLOOK, SUSPENDED)
EVERYBODY: Final = (*ACCOUNTS, STRANGER)
