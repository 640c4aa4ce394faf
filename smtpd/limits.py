"""The bounds of a session: every input has a size, a time and a count."""

from __future__ import annotations

from typing import Final

# --- time, in seconds (RFC 5321 §4.5.3.2.7 asks for five minutes between commands) ---
COMMAND_TIME: Final = 300.0
# A client that has not signed in on a submission port has less to say.
SIGN_IN_TIME: Final = 120.0
HANDSHAKE_TIME: Final = 20.0
# A client under TLS that does not answer our goodbye (close_notify); asyncio would wait 30 seconds for it.
GOODBYE_TIME: Final = 2.0
# A message may take DATA_TIME, and a second more for every DATA_RATE octets that did come: an honest slow line passes,
# a drip does not.
DATA_TIME: Final = 180.0
DATA_RATE: Final = 500
# A client that does not read our replies.
WRITE_TIME: Final = 60.0
# The queue's commit; SQLite waits for a lock less than this (mailadmin.database.LOCK_TIMEOUT).
COMMIT_TIME: Final = 30.0
# How long a drain lets a message that is under way finish.
DRAIN_TIME: Final = 10.0

# --- size, in octets ---
COMMAND_LINE: Final = 2048  # RFC 5321 §4.5.3.1.4 asks for 512, extensions add to MAIL and RCPT (RFC 3461, RFC 4954)
SASL_LINE: Final = 12_288  # RFC 4954 §4
HEADER_BLOCK: Final = 262_144
# Input that waits while a command is being worked on; a client that sends more is not read from until then.
PENDING_INPUT: Final = 65_536

# --- count ---
ERRORS: Final = 10
FAILED_SIGN_INS: Final = 3  # RFC 4954 §4 forbids fewer
IDLE_COMMANDS: Final = 100  # commands since the last message, RCPT aside
MESSAGES: Final = 1000
HOPS: Final = 50  # Received fields, RFC 5321 §6.3
CHUNKS_IN_FLIGHT: Final = 4  # chunks of a large body handed to the disk and not yet there
