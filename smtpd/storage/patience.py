"""Reads for a delivery that is under way: while the database is away they wait, since there is nothing else to do.

To put the delivery off instead would cost the mail its first interval of the schedule for a restart of PostgreSQL that
took two seconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from smtpd.storage.errors import UnavailableError

PATIENCE: Final = 60.0  # seconds; less than a lease, which cannot be renewed meanwhile
AGAIN: Final = 0.5  # seconds between two tries

R = TypeVar("R")


async def patiently(call: Callable[[], Awaitable[R]]) -> R:
    """Return what `call` gives, which is called again while the database cannot be read.

    Raises:
        UnavailableError: it could not be read for `PATIENCE`.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + PATIENCE
    pause = 0.0  # the first failure may be that of a connection from before a restart
    while True:
        try:
            return await call()
        except UnavailableError:
            if loop.time() >= deadline:
                raise
        await asyncio.sleep(pause)
        pause = AGAIN
