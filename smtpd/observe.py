"""Logging of the daemon: one line per event, ``key=value`` or JSON, whatever the values hold.

Values are quoted and their control characters escaped, so that what a client sends cannot forge a line.
``MAILADMIN_LOG=json`` turns every line into an object. Modules may use `logging` or `structlog`; both end here.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import sys
from typing import Any, Final, TextIO

import structlog
from structlog.types import EventDict, Processor, WrappedLogger

ORDER: Final = ["timestamp", "level", "role", "event"]


class _Lines(logging.StreamHandler[TextIO]):
    """Writes to standard error; a reader that has gone away must not stop the mail."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  # logging's name
        """Drop the line: there is nobody to tell."""


def _one_line(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Escape control characters in every text; structlog's renderer does so for line feeds alone."""
    return {key: _escaped(value) if isinstance(value, str) else value for key, value in event.items()}


def _escaped(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() or char == "\n" else char.encode("unicode_escape").decode() for char in text
    )


def configure(role: str) -> None:
    """Send the log of this process to standard error, each line marked with `role`."""
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _role_adder(role),
    ]
    rendered: list[Processor]
    if os.environ.get("MAILADMIN_LOG", "").lower() == "json":
        rendered = [structlog.processors.dict_tracebacks, structlog.processors.JSONRenderer()]
    else:
        renderer = structlog.processors.LogfmtRenderer(key_order=ORDER, drop_missing=True, bool_as_flag=False)
        rendered = [structlog.processors.format_exc_info, _one_line, renderer]
    handler = _Lines(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendered],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def _role_adder(role: str) -> Processor:
    def add(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        event["role"] = role
        return event

    return add


def fault_id() -> str:
    """Return a short random id that ties what a person sees to a line in the log."""
    return secrets.token_hex(4)


def log_faults(loop: asyncio.AbstractEventLoop) -> None:
    """Log what callbacks of `loop` raise, with an id and without stopping anything."""
    log = structlog.get_logger("smtpd.loop")

    def handle(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        log.error(
            "a callback failed",
            fault=fault_id(),
            what=context.get("message", ""),
            exc_info=error if error is not None else False,
        )

    loop.set_exception_handler(handle)
