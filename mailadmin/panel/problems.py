"""What a process of the daemon could not do, in the reader's language.

The daemon speaks English to its log and to `Process.problems`. Its sentences about endpoints have the form
``ADDRESS:PORT (LISTENER): what is wrong``; the part after the first colon and space is a message of our catalogue.
"""

from __future__ import annotations

import re
from typing import Final

from django.utils.translation import gettext, gettext_noop

KNOWN: Final = (
    gettext_noop("another program uses this port. Stop it, or give the listener another port."),
    gettext_noop(
        "ports below 1024 need the right to bind them. Start the daemon as root or by its systemd unit "
        "(it drops all other rights), or use a higher port."
    ),
    gettext_noop("this machine does not have this address."),
)


_ENDPOINT: Final = re.compile(r"\S+:\d+ \([-\w]+\): ")


def is_of_a_listener(problem: str) -> bool:
    """Whether the sentence is about an endpoint of a listener."""
    return _ENDPOINT.match(problem) is not None


def in_words(problem: str) -> str:
    """Return the sentence in the language in force, as far as it is known."""
    where, separator, what = problem.partition(": ")
    return f"{where}{separator}{gettext(what)}" if what else gettext(problem)
