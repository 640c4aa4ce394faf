"""Addresses in their normal form, and the patterns of addresses an account may send from (pure).

Normal form: the domain in lower-case A-labels; the local part as given for the envelope, but compared in lower case
(every mailbox here is case-insensitive, as people expect). A UTF-8 local part is brought to NFC.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache

import idna

MAX_ADDRESS = 254  # RFC 5321 §4.5.3.1.3, without the angle brackets
MAX_LOCAL_PART = 64  # RFC 5321 §4.5.3.1.1
MAX_LABEL = 63  # RFC 1035 §2.3.4
MAX_DOMAIN = 253


class AddressError(ValueError):
    """The text is not an address; str() says why, for people: in English, and a text of the catalogue."""


def _(text: str) -> str:
    """Mark `text` for the catalogue; whoever shows it translates it, since this module knows no Django."""
    return text


def normal_domain(domain: str) -> str:
    """Return `domain` in lower-case A-labels.

    Raises:
        AddressError: it is empty, too long, or not a domain name.
    """
    text = domain.strip().rstrip(".")
    if not text or len(text) > MAX_DOMAIN:
        raise AddressError(_("the domain is empty or too long"))
    try:
        ascii_form = text.lower() if text.isascii() else idna.encode(text, uts46=True).decode("ascii").lower()
    except idna.IDNAError as error:
        raise AddressError(_("the domain is not a valid name")) from error
    for label in ascii_form.split("."):
        if (
            not label
            or len(label) > MAX_LABEL
            or not label.replace("-", "").replace("_", "").isalnum()
            or label[0] == "-"
            or label[-1] == "-"
        ):
            raise AddressError(_("the domain is not a valid name"))
    return ascii_form


@lru_cache(maxsize=1024)
def normal_address(address: str) -> str:
    """Return an account's or recipient's address in normal form, wholly in lower case.

    Raises:
        AddressError: it is not of the form local@domain, or a part is out of bounds.
    """
    local, at, domain = address.strip().rpartition("@")
    if not at or not local:
        raise AddressError(_("an address has the form name@example.org"))
    local = unicodedata.normalize("NFC", local).lower()
    if len(local.encode()) > MAX_LOCAL_PART or any(
        c.isspace() or not c.isprintable() or c in '<>()[],;:\\"@' for c in local
    ):
        raise AddressError(_("the part before @ has characters that a mailbox name cannot have, or is too long"))
    if local.startswith(".") or local.endswith(".") or ".." in local:
        raise AddressError(_("the part before @ has a dot in a place where none can be"))
    result = f"{local}@{normal_domain(domain)}"
    if len(result.encode()) > MAX_ADDRESS:
        raise AddressError(_("the address is too long"))
    return result


def normal_pattern(text: str) -> str:
    """Return a sender pattern in normal form: ``a@b``, ``a+*@b`` or ``*@b`` (``@b`` is taken for it).

    Raises:
        AddressError: it is none of the three.
    """
    text = text.strip()
    if text.startswith(("@", "*@")):
        return "*@" + normal_domain(text.partition("@")[2])
    local, at, domain = text.rpartition("@")
    if at and local.endswith("+*"):
        return normal_address(f"{local[:-2]}@{domain}").replace("@", "+*@")
    return normal_address(text)


def may_send_as(patterns: frozenset[str], address: str) -> bool:
    """Say whether one of `patterns` covers `address` (in normal form)."""
    if address in patterns:
        return True
    local, _at, domain = address.rpartition("@")
    return f"*@{domain}" in patterns or f"{local.partition('+')[0]}+*@{domain}" in patterns
