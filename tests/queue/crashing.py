"""A process that does one thing to the queue and is killed at a chosen moment.

It is a server of forks: it loads the product once, and for each line ``EVENT MOMENT MESSAGE`` on its standard input
forks a process that does EVENT to the message and kills itself with SIGKILL at MOMENT:

* ``before``: every statement was made, nothing is committed;
* ``committed``: the commit is done, what follows a commit is not;
* ``after``: the service has returned.

So no handler, no `finally` and no rollback of ours has a say in what is left. After each it prints a line.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mailadmin.queue.envelopes import Outcome


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _after_statements(number: int) -> Callable[..., Any]:
    """Return a wrapper of Django's that kills after so many statements."""
    left = [number]

    def wrapper(execute: Callable[..., Any], *arguments: Any) -> Any:
        result = execute(*arguments)
        left[0] -= 1
        if not left[0]:
            _kill()
        return result

    return wrapper


def _events(message: int, now: datetime) -> dict[str, Callable[[], object]]:
    from mailadmin.bodies import services as bodies
    from mailadmin.queue import services
    from mailadmin.queue.envelopes import Result
    from mailadmin.queue.models import Message, Recipient
    from mailadmin.queue.services import Selection
    from tests.queue.mail import OWNER, RULES, a_message, a_verdict, claim

    chosen = Selection(messages=[message])

    def account() -> int:
        return Message.objects.values_list("account", flat=True).get(pk=message) or 0

    def recorded(outcome: Outcome, when: datetime = now) -> int:
        # The test has claimed them, under the usual owner.
        recipients = list(Recipient.objects.filter(message=message).values_list("pk", flat=True))
        results = [Result(number, a_verdict(outcome), when) for number in recipients]
        return services.record(results, owner=OWNER, now=when, rules=RULES)

    return {
        "accept": lambda: services.enqueue([a_message(now)], now=now),
        "upload": lambda: bodies.put_chunk(message, 1, b"more", now),
        "seal": lambda: bodies.seal(message),
        "claim": lambda: claim(now),
        "lapse": lambda: services.let_go_all(["one:1"]),
        "deliver": lambda: recorded("delivered"),
        "defer": lambda: recorded("deferred"),
        "fail": lambda: recorded("failed"),
        "expire": lambda: recorded("deferred", now.replace(year=now.year + 1)),
        "suspend": lambda: services.hold_account(account(), now=now),
        "hold": partial(services.hold, chosen, actor="test", now=now),
        "release": partial(services.release, chosen, actor="test", now=now),
        "retry": partial(services.retry, chosen, actor="test", now=now),
        "cancel": partial(services.cancel, chosen, actor="test", now=now),
        "give_back": partial(services.give_back, chosen, actor="test", now=now),
    }


def _crash(event: str, moment: str, message: int, now: datetime) -> None:
    from django.db import connection, transaction

    act = _events(message, now)[event]
    with ExitStack() as stack:
        if event == "accept" and moment == "before":
            # It refuses to run inside another transaction; its statements are three and, on PostgreSQL, a NOTIFY.
            statements = 3 + (connection.vendor == "postgresql")
            stack.enter_context(connection.execute_wrapper(_after_statements(statements)))
        elif moment != "after":
            stack.enter_context(transaction.atomic())
            if moment == "committed":
                transaction.on_commit(_kill)
        act()
        if moment == "before":
            _kill()
    _kill()


def main() -> None:
    """Serve until standard input ends."""
    import django
    from django.conf import settings

    for alias, name in json.loads(sys.argv[1]).items():
        settings.DATABASES[alias]["NAME"] = name
    django.setup()
    now = datetime.fromisoformat(sys.argv[2])
    for line in sys.stdin:
        event, moment, message = line.split()
        if not os.fork():
            try:
                _crash(event, moment, int(message), now)
            finally:
                os._exit(1)  # it raised, and says so on standard error
        _, status = os.wait()
        print("killed" if os.WIFSIGNALED(status) else f"exit code {os.WEXITSTATUS(status)}", flush=True)


if __name__ == "__main__":
    main()
