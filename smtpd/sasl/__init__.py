"""SASL mechanisms as generators (see `smtpd.sasl.exchange`), and the registry of those this server has."""

from __future__ import annotations

from typing import Final

from smtpd.sasl.exchange import Mechanism
from smtpd.sasl.login import login
from smtpd.sasl.plain import plain

# In the order in which EHLO names them: the better one first.
MECHANISMS: Final[dict[str, Mechanism]] = {
    mechanism.name: mechanism
    for mechanism in (
        Mechanism("PLAIN", plain, plaintext=True, client_first=True),
        Mechanism("LOGIN", login, plaintext=True, client_first=False),
    )
}
