"""Finds the addresses in a From, Sender or Resent-From field, for the question whether the account owns them.

The field is read as RFC 5322 §3.4 has it, obsolete forms and groups included. Where readers differ, every reading
counts: an old mailer puts raw ISO-2022-JP or Shift_JIS into a display name, and there a byte of a kanji can look like a
quote, a backslash or a bracket. So such a field is read as it stands and with those characters covered up, and the
addresses of all readings must be owned. The same goes for ``a@x <b@x>``, which is no valid form but common.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from mailadmin.accounts.addresses import MAX_ADDRESS, MAX_LOCAL_PART, normal_address

# The common forms: a bare address, or a plain or quoted name before one; lower-case, so already in normal form.
_COMMON: Final = re.compile(
    rb'[ \t]*+(?:(?:[ \t\w!#$%&\'*+/=?^`{|}~.-]*+|"[ \t\w!#$%&\'*+/=?^`{|}~.,()-]*+"[ \t]*+)<)?+'
    rb"([a-z0-9_+-]++(?:\.[a-z0-9_+-]++)*+)@((?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z](?:[a-z0-9-]*[a-z0-9])?)"
    rb"(>?)[ \t]*+\r?\Z"
)
# An encoded word is one token, whatever punctuation it has, unless that could hide an address (RFC 2047 §5).
_TOKEN: Final = re.compile(
    r"(?P<space>[ \t\r\n]++)"
    r"|(?P<encoded>=\?[^?\s\"<>@]++\?[BbQq]\?[^?\s\"<>@]*+\?=)"
    r'|(?P<quoted>"(?:[^"\\]|\\.)*+")'
    r"|(?P<literal>\[(?:[^\[\]\\]|\\.)*+\])"
    r"|(?P<special>[<>,:;@.])"
    r"|(?P<atom>[^ \t\r\n\"()\[\]<>,:;@.\\]++)",
    re.DOTALL,
)
_COMMENT_PART: Final = re.compile(r"\\.|[()]", re.DOTALL)
# ISO-2022-JP between two escapes: kanji, or kana of one byte; a line's end closes it as well (RFC 1468).
_SHIFTED: Final = re.compile(rb"\x1b(?:\$\(?[@-Q]|\(I)[^\x1b\r\n]*+")
_UNSHIFT: Final = re.compile(rb"\x1b\([BJ]")
_SHIFT_JIS: Final = re.compile(rb"[\x81-\x9f\xe0-\xfc][\x40-\x7e\x80-\xfc]")
_MAX_ADDRESSES: Final = 1000
_MAX_LABEL: Final = 63

Token = tuple[str, str]


class UnreadableError(ValueError):
    """The field has no valid address, or something in it that is none."""


def addresses(value: bytes) -> list[str]:
    """Return the addresses in a field's value, in normal form and each once.

    Args:
        value: what stands behind the colon, folded as it was sent.

    Raises:
        UnreadableError: there is none, or one is not valid.
    """
    common = _COMMON.match(value)
    if common is not None:
        local, domain, closing = common.groups()
        bracketed = b"<" in value[: common.start(1)]
        fits = len(local) <= MAX_LOCAL_PART and len(domain) <= _MAX_LABEL
        if bracketed == bool(closing) and fits:
            return [f"{local.decode()}@{domain.decode()}"]
    found: dict[str, None] = {}
    readable = False
    for reading in _readings(value):
        reader = _Reader()
        try:
            reader.read(reading)
        except UnreadableError:
            # It may be the wrong reading, but what it has come upon before it failed is what some program shows.
            pass
        else:
            readable = True
        found.update(dict.fromkeys(reader.found))
    if not readable or not found:
        raise UnreadableError
    return list(found)


def _readings(value: bytes) -> Iterator[str]:
    """Yield the field as readers of different habits see it."""
    yield value.decode("utf-8", "surrogateescape")
    if b"\x1b" in value:
        yield _UNSHIFT.sub(b"", _SHIFTED.sub(b"x", value)).decode("utf-8", "surrogateescape")
    if not value.isascii():
        yield _SHIFT_JIS.sub(b"x", value).decode("utf-8", "surrogateescape")


def _tokens(text: str) -> Iterator[Token]:
    """Yield the kind and text of each token; white space and comments are left out (RFC 5322 §3.2)."""
    position = 0
    while position < len(text):
        if text[position] == "(":
            position = _after_comment(text, position)
            continue
        match = _TOKEN.match(text, position)
        if match is None:
            raise UnreadableError("a character that cannot stand there")
        position = match.end()
        kind = match.lastgroup or ""
        if kind != "space":
            yield ("atom" if kind == "encoded" else kind), match[0]


def _after_comment(text: str, start: int) -> int:
    """Return the position behind the comment that opens at `start`; comments nest."""
    depth = 0
    for match in _COMMENT_PART.finditer(text, start):
        if match[0] == "(":
            depth += 1
        elif match[0] == ")":
            depth -= 1
            if depth == 0:
                return match.end()
    raise UnreadableError("a comment without an end")


class _Reader:
    """Reads mailboxes and groups, separated by commas (RFC 5322 §3.4; empty elements are obsolete but common)."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self._words: list[Token] = []  # of the mailbox under way
        self._closed = False  # the mailbox under way had its brackets
        self._in_group = False

    def read(self, text: str) -> None:
        """Take the addresses of `text` into `found`; raise UnreadableError where it cannot go on."""
        tokens = _tokens(text)
        for kind, word in tokens:
            if kind == "special" and word in ",;":
                self._end_mailbox()
                self._end_group(word)
            elif self._closed:
                raise UnreadableError("something behind an address in brackets")
            elif kind == "special" and word == ":":
                self._begin_group()
            elif kind == "special" and word == "<":
                self._end_mailbox(only_if_address=True)
                self._add(list(_bracketed(tokens)))
                self._closed = True
            else:
                self._words.append((kind, word))
        self._end_mailbox()

    def _add(self, words: list[Token]) -> None:
        if len(self.found) >= _MAX_ADDRESSES:
            raise UnreadableError("too many addresses")
        self.found.append(_address(words))

    def _end_mailbox(self, *, only_if_address: bool = False) -> None:
        """Take in the words so far: an address without brackets, or the name before them."""
        if self._words and (not only_if_address or ("special", "@") in self._words):
            self._add(self._words)
        self._words = []
        self._closed = False

    def _begin_group(self) -> None:
        if self._in_group or not self._words or ("special", "@") in self._words:
            raise UnreadableError("a colon that opens no group")
        self._words = []
        self._in_group = True

    def _end_group(self, word: str) -> None:
        if word == ";" and not self._in_group:
            raise UnreadableError("a semicolon outside a group")
        self._in_group = self._in_group and word == ","


def _bracketed(tokens: Iterator[Token]) -> Iterator[Token]:
    """Yield the tokens up to the closing bracket."""
    for kind, word in tokens:
        if kind == "special" and word == ">":
            return
        yield kind, word
    raise UnreadableError("a bracket without an end")


def _address(words: list[Token]) -> str:
    """Return ``word *("." word) "@" atom *("." atom)`` in normal form."""
    local: list[str] = []
    domain: list[str] = []
    part = local
    expects_word = True
    for kind, word in words:
        if kind == "special":
            if expects_word or word not in ".@" or (word == "@" and part is domain):
                raise UnreadableError("not an address")
            if word == "@":
                part = domain
            expects_word = True
            continue
        if not expects_word or kind == "literal" or (kind == "quoted" and part is domain):
            raise UnreadableError("not an address")
        part.append(re.sub(r"\\(.)", r"\1", word[1:-1], flags=re.DOTALL) if kind == "quoted" else word)
        expects_word = False
    if expects_word or not domain:
        raise UnreadableError("not an address")
    address = f"{'.'.join(local)}@{'.'.join(domain)}"
    if len(address) > MAX_ADDRESS:
        raise UnreadableError("too long")
    try:
        return normal_address(address)
    except ValueError as error:
        raise UnreadableError(str(error)) from error
