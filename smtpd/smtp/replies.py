"""Everything this server ever says in SMTP, each reply once, as the bytes that go on the wire.

A reply that is always the same is a constant in capitals; one that names something is a function. All but the banner,
the answer to EHLO, 334 and 354 carry an enhanced status code (RFC 2034, RFC 3463, RFC 5248). The words are for the
person who reads them in a mail program: they say what is wrong and what to do about it. Whatever comes from the client
or from a setting passes through `printable` before it is said back, so no reply can be split or grow beyond
RFC 5321 §4.5.3.1.5's 512 octets, and no reply holds the text of an exception.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Final

MAX_REPLY_LINE: Final = 512  # octets with CRLF, RFC 5321 §4.5.3.1.5
_MAX_ECHO: Final = 254  # an address fits in whole


class Refused(Exception):  # noqa: N818  # it is an outcome of the protocol, not a fault
    """What the client sent is refused; `reply` is the whole answer, CRLF included."""

    def __init__(self, reply: bytes) -> None:
        super().__init__(reply.decode("ascii", "replace").rstrip())
        self.reply = reply


def printable(raw: bytes | str, limit: int = _MAX_ECHO) -> str:
    """Return `raw` fit to be said back: printable ASCII, `?` for anything else, at most `limit` characters."""
    text = raw.decode("latin-1") if isinstance(raw, bytes) else raw
    if len(text) > limit:
        text = text[: limit - 3] + "..."
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if " " <= c <= "~" else "?" for c in text)


def line(code: int, enhanced: str, text: str) -> bytes:
    """Return a reply of one line; `text` is cut where the line would be too long."""
    return f"{code} {enhanced} {text}".encode("ascii", "replace")[: MAX_REPLY_LINE - 2] + b"\r\n"


# --- the connection ---------------------------------------------------------------------------------------------------


def banner(hostname: str) -> bytes:
    """Return the greeting of a new connection."""
    return f"220 {printable(hostname)} ESMTP mailadmin\r\n".encode()


def helo(hostname: str) -> bytes:
    """Return the answer to HELO."""
    return f"250 {printable(hostname)}\r\n".encode()


def ehlo(hostname: str, keywords: Sequence[str]) -> bytes:
    """Return the answer to EHLO: one line for each extension in `keywords`, in that order (RFC 5321 §4.1.1.1)."""
    lines = [printable(hostname), *keywords]
    last = len(lines) - 1
    return "".join(f"250{' ' if number == last else '-'}{text}\r\n" for number, text in enumerate(lines)).encode()


QUIT: Final = line(221, "2.0.0", "Goodbye")
CLOSING: Final = line(421, "4.3.2", "The server is shutting down; please try again in a moment")
TIMEOUT: Final = line(421, "4.4.2", "Nothing was heard for too long; closing the connection")
TOO_MANY_ERRORS: Final = line(421, "4.7.0", "Too many errors; closing the connection")
TOO_MANY_COMMANDS: Final = line(421, "4.7.0", "Too many commands without a message; closing the connection")
TOO_MANY_SIGN_INS: Final = line(421, "4.7.0", "Too many failed sign-ins; closing the connection")
TOO_MANY_CONNECTIONS: Final = line(421, "4.7.0", "Too many connections at once; please try again later")
EARLY_TALKER: Final = line(554, "5.5.1", "The client must wait for the greeting before it speaks")
UNAUTHORIZED_PIPELINING: Final = line(554, "5.5.0", "The client must wait for the reply to this command")

# --- commands out of order or out of form -----------------------------------------------------------------------------

UNKNOWN_COMMAND: Final = line(500, "5.5.2", "This command is not known")
NOT_IMPLEMENTED: Final = line(502, "5.5.1", "This command is not offered here")
LINE_TOO_LONG: Final = line(500, "5.5.2", "The command line is too long")
BARE_LF: Final = line(500, "5.5.2", "A command must end in CRLF, not in a bare CR or LF")
CONTROL_CHARACTER: Final = line(500, "5.5.2", "A command must not have control characters in it")
SYNTAX: Final = line(501, "5.5.4", "The argument of this command is not valid")
NO_ARGUMENT_ALLOWED: Final = line(501, "5.5.4", "This command takes no argument")
HOST_NAME_NEEDED: Final = line(501, "5.5.4", "This command needs the client's host name or address literal")
HELO_FIRST: Final = line(503, "5.5.1", "Please send EHLO first")
MAIL_FIRST: Final = line(503, "5.5.1", "Please send MAIL first")
NESTED_MAIL: Final = line(503, "5.5.1", "A message is already under way; send RSET to give it up")
IN_TRANSACTION: Final = line(503, "5.5.1", "This command is not possible while a message is under way")
NO_VALID_RECIPIENTS: Final = line(554, "5.5.1", "None of the recipients was accepted")

# --- TLS (RFC 3207) ---------------------------------------------------------------------------------------------------

READY_FOR_TLS: Final = line(220, "2.0.0", "Ready to start TLS")
NO_TLS: Final = line(454, "4.7.0", "TLS is not available at the moment")
TLS_ALREADY: Final = line(503, "5.5.1", "The connection is already encrypted")
TLS_REQUIRED: Final = line(530, "5.7.0", "Must issue a STARTTLS command first")

# --- AUTH (RFC 4954) --------------------------------------------------------------------------------------------------

AUTH_REQUIRED: Final = line(530, "5.7.0", "Please sign in: set user name and password for outgoing mail (SMTP AUTH)")
SIGN_IN_AGAIN: Final = line(530, "5.7.0", "The account was changed since you signed in; please sign in again")
ACCOUNT_SUSPENDED: Final = line(525, "5.7.13", "This account may not send mail now; please ask the administrator")
AUTH_OK: Final = line(235, "2.7.0", "Signed in")
AUTH_FAILED: Final = line(535, "5.7.8", "The user name or the password is not right")
AUTH_TEMPORARY: Final = line(454, "4.7.0", "Signing in is not possible at the moment; please try again in a minute")
AUTH_ABORTED: Final = line(501, "5.7.0", "The sign-in was given up")
AUTH_NO_INITIAL_RESPONSE: Final = line(501, "5.7.0", "This mechanism takes no initial response")
AUTH_BAD_BASE64: Final = line(501, "5.5.2", "The response is not valid base64")
AUTH_MALFORMED: Final = line(501, "5.5.2", "The response is not what this mechanism expects")
AUTH_LINE_TOO_LONG: Final = line(500, "5.5.6", "The response is too long")
AUTH_UNKNOWN_MECHANISM: Final = line(504, "5.5.4", "This mechanism is not offered here")
AUTH_NEEDS_TLS: Final = line(538, "5.7.11", "This mechanism needs an encrypted connection; send STARTTLS first")
AUTH_ALREADY: Final = line(503, "5.5.1", "You are already signed in")
AUTH_IN_TRANSACTION: Final = line(503, "5.5.1", "Signing in is not possible while a message is under way")
AUTH_NOT_OFFERED: Final = line(503, "5.5.1", "Signing in is not offered here; please use the submission port")


def challenge(data: bytes) -> bytes:
    """Return a challenge of a SASL exchange; an empty one is ``334`` and a space (RFC 4954 §4)."""
    return b"334 " + base64.b64encode(data) + b"\r\n"


# --- MAIL and RCPT ----------------------------------------------------------------------------------------------------

MAIL_OK: Final = line(250, "2.1.0", "Sender accepted")
RCPT_OK: Final = line(250, "2.1.5", "Recipient accepted")
MAIL_SYNTAX: Final = line(501, "5.5.4", "Expected MAIL FROM:<address>, with the address in angle brackets")
RCPT_SYNTAX: Final = line(501, "5.5.4", "Expected RCPT TO:<address>, with the address in angle brackets")
BAD_SENDER_ADDRESS: Final = line(501, "5.1.7", "The sender's address is not a valid one")
BAD_RECIPIENT_ADDRESS: Final = line(501, "5.1.3", "The recipient's address is not a valid one")
SOURCE_ROUTE: Final = line(501, "5.1.3", "Addresses with a route (<@host:user@domain>) are not accepted")
ADDRESS_TOO_LONG: Final = line(501, "5.1.3", "The address is longer than an address can be")
NULL_RECIPIENT: Final = line(501, "5.1.3", "A recipient cannot be the null address")
NEEDS_SMTPUTF8: Final = line(553, "5.6.7", "An address beyond ASCII needs the SMTPUTF8 parameter of MAIL")
BAD_UTF8: Final = line(501, "5.5.2", "The address is not valid UTF-8")
PARAMETER_SYNTAX: Final = line(501, "5.5.4", "The parameters are not of the form NAME=VALUE")
TOO_MANY_RECIPIENTS: Final = line(452, "4.5.3", "Too many recipients for one message; please send the rest in another")
RELAY_DENIED: Final = line(550, "5.7.1", "Relaying denied; please sign in on the submission port")
# RFC 3463 §3.5: no answer from the host beyond this one.
MAILBOX_UNVERIFIED: Final = line(450, "4.4.1", "Whether this mailbox exists cannot be found out now; please try later")
NO_ROUTE: Final = line(550, "5.7.1", "This server sends mail to its own domains only")


def unknown_parameter(name: bytes | str) -> bytes:
    """Return the refusal of a parameter that is not offered or comes twice (RFC 5321 §4.1.1.11)."""
    return line(555, "5.5.4", f"The parameter {printable(name, 40)} is not known here, or comes twice")


def bad_parameter(name: bytes | str) -> bytes:
    """Return the refusal of a parameter whose value is not valid."""
    return line(501, "5.5.4", f"The parameter {printable(name, 40)} has a value that is not valid")


def sender_not_owned(address: str) -> bytes:
    """Return the refusal of an envelope sender that the account does not own."""
    return line(
        553,
        "5.7.1",
        f"Your account may not send as <{printable(address)}>; choose one of your own addresses as sender in the "
        "mail program, or ask the administrator to allow this one",
    )


def no_such_mailbox(address: str) -> bytes:
    """Return the refusal of a recipient in a local domain that does not exist."""
    return line(550, "5.1.1", f"There is no mailbox <{printable(address)}> here; please check the address")


# --- the message ------------------------------------------------------------------------------------------------------

START_DATA: Final = b"354 Send the message, then a line with a single dot\r\n"
BARE_NEWLINE: Final = line(550, "5.6.0", "The message has a bare CR or LF in it; every line must end in CRLF")
HEADER_TOO_BIG: Final = line(552, "5.3.4", "The header of the message is too large")
BODY_LINE_TOO_LONG: Final = line(550, "5.6.0", "The message has a line that is too long")
LOOP: Final = line(554, "5.4.6", "The message goes round in circles: it has passed too many servers")
HEADER_NUL: Final = line(550, "5.6.0", "The header of the message has a NUL in it")
NO_FROM: Final = line(550, "5.6.0", "The message has no From field; please set your address in the mail program")
SEVERAL_FROM: Final = line(550, "5.6.0", "The message has more than one From field")
SEVERAL_SENDER: Final = line(550, "5.6.0", "The message has more than one Sender field")
UNREADABLE_FROM: Final = line(550, "5.6.0", "The From field of the message has no valid address")
UNREADABLE_SENDER: Final = line(550, "5.6.0", "The Sender field of the message has no valid address")
MIXED_DATA: Final = line(503, "5.5.1", "DATA is not possible after BDAT; send RSET to begin again")
BAD_CHUNK: Final = line(501, "5.5.4", "Expected BDAT with a number of octets, and LAST for the last chunk")
TEMPORARY: Final = line(451, "4.3.0", "The message cannot be taken at the moment; please try again later")
DATABASE_DOWN: Final = line(451, "4.3.0", "The mail queue is not available at the moment; please try again later")
DISK_FULL: Final = line(452, "4.3.1", "There is not enough room for the message at the moment; please try again later")


def message_too_big(limit: int) -> bytes:
    """Return the refusal of a message of more than `limit` octets."""
    return line(552, "5.3.4", f"The message is larger than this server takes ({limit} octets)")


def from_not_owned(address: str) -> bytes:
    """Return the refusal of a message whose From or Sender names an address that the account does not own."""
    return line(
        553,
        "5.7.1",
        f"Your account may not send a message from <{printable(address)}>; choose one of your own addresses as sender "
        "in the mail program, or ask the administrator to allow this one",
    )


def queued(queue_id: str) -> bytes:
    """Return the promise to deliver: said only after the message is on disk."""
    return line(250, "2.0.0", f"Queued as {queue_id}")


def chunk_taken(octets: int) -> bytes:
    """Return the answer to a BDAT that is not the last (RFC 3030 §2)."""
    return line(250, "2.0.0", f"{octets} octets received")


def fault(incident: str) -> bytes:
    """Return what a client hears of a fault of ours: `incident` is the id under which the log has the rest."""
    return line(451, "4.3.0", f"Something went wrong here; please try again later (incident {printable(incident, 40)})")


# --- the rest ---------------------------------------------------------------------------------------------------------

NOOP: Final = line(250, "2.0.0", "Nothing done")
RESET: Final = line(250, "2.0.0", "Begin again")
VRFY: Final = line(252, "2.5.0", "Addresses are not looked up; send the message and see")
HELP: Final = line(214, "2.0.0", "Commands: EHLO HELO STARTTLS AUTH MAIL RCPT DATA BDAT RSET NOOP VRFY HELP QUIT")
