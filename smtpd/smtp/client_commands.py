"""MAIL and RCPT as an outgoing dialogue says them (sans-IO; RFC 5321 §4.1.1, RFC 1870, 3461, 6152, 6531).

An address goes between angle brackets only when it is one by the grammar. What is in the queue was checked when it came
in; this is the second door, so that no text from anywhere can become a command.
"""

from __future__ import annotations

import re
from typing import Final

from mailadmin.queue.envelopes import ClaimedMessage, ClaimedRecipient
from smtpd.smtp.client_features import Features
from smtpd.smtp.parameters import encode_xtext

_LOCAL: Final = r"(?:[^\x00-\x20\x7f-\x9f()<>\[\]:;@\\,\"]+|\"(?:[^\x00-\x1f\x7f-\x9f\"\\]|\\[\x20-\x7e])*\")"
_DOMAIN: Final = r"(?:[^\x00-\x20\x7f-\x9f()<>\[\]:;@\\,\"]+|\[[0-9A-Za-z:.]+\])"
# RFC 5321 §4.1.2; <postmaster> is the one address without a domain (§4.1.1.3).
_ADDRESS: Final = re.compile(rf"{_LOCAL}@{_DOMAIN}|postmaster", re.IGNORECASE)
_VALUE: Final = re.compile(r"[!-<>-~]+")  # esmtp-value
_BEYOND_ASCII: Final = re.compile(r"[^\x00-\x7f]")  # in ORCPT, written as RFC 6533 §3 has it for any server


def speakable(address: str) -> bool:
    """Whether `address` may stand between angle brackets."""
    return _ADDRESS.fullmatch(address) is not None


def mail_command(message: ClaimedMessage, features: Features, *, smtputf8: bool) -> bytes:
    """Return the MAIL line for `message`, with the parameters that the server understands.

    Raises:
        ValueError: the sender's address is none.
    """
    if message.sender and not speakable(message.sender):
        raise ValueError("not an address")
    parts = [f"MAIL FROM:<{message.sender}>"]
    if "SIZE" in features:
        parts.append(f"SIZE={message.size}")
    # Without 8BITMIME an 8-bit body is sent as it is: refusing helps nobody, and recoding would break signatures.
    if message.eight_bit and "8BITMIME" in features:
        parts.append("BODY=8BITMIME")
    if smtputf8:
        parts.append("SMTPUTF8")
    if "DSN" in features:
        if message.ret in {"FULL", "HDRS"}:
            parts.append(f"RET={message.ret}")
        if message.envid:
            parts.append(f"ENVID={encode_xtext(message.envid.encode())}")
    return " ".join(parts).encode()


def rcpt_command(recipient: ClaimedRecipient, features: Features) -> bytes:
    """Return the RCPT line for `recipient`, whose address is `speakable`."""
    parts = [f"RCPT TO:<{recipient.address}>"]
    if "DSN" in features:
        if _VALUE.fullmatch(recipient.notify):
            parts.append(f"NOTIFY={recipient.notify}")
        orcpt = _BEYOND_ASCII.sub(lambda found: rf"\x{{{ord(found[0]):X}}}", recipient.orcpt)
        if _VALUE.fullmatch(orcpt):
            parts.append(f"ORCPT={orcpt}")
    return " ".join(parts).encode()
