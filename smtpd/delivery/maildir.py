"""Delivery into Maildirs on this machine's disk.

For each recipient: which mailbox it is (whoever makes the agent decides), whether there is room, then the message with
``Delivered-To`` and ``Return-Path`` (RFC 5321 §4.4) above it. All work on files runs in threads of this agent, since a
disk may be slow and a network file system may hang.

A crash after the message reached ``new`` and before the verdict was recorded delivers it again: Maildir has no
transaction that spans the two, and a second copy is better than none.
"""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeVar

import structlog

from mailadmin.queue.envelopes import ClaimedMessage, ClaimedRecipient, Verdict
from smtpd.smtp.client_actions import Trouble

from .agent import Body
from .connection import guarded
from .maildir_files import MaildirFile, clear_abandoned, mailbox_path, used

_THREADS: Final = 4
_FULL: Final = {errno.ENOSPC, errno.EDQUOT}

_T = TypeVar("_T")
log = structlog.get_logger("smtpd.delivery")


class MaildirAgent:
    """Delivers into mailboxes below `root`.

    Args:
        root: the folder of all mailboxes; a mailbox is ``root/DOMAIN/LOCAL-PART``.
        mailbox: says which mailbox (an address in normal form) takes mail for an address, None for none.
        quota: says how many octets a mailbox may hold, None for no limit.
    """

    def __init__(
        self,
        root: Path,
        *,
        mailbox: Callable[[str], Awaitable[str | None]],
        quota: Callable[[str], Awaitable[int | None]],
    ) -> None:
        self._root = root
        self._mailbox = mailbox
        self._quota = quota
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="maildir")
        self._cleared: set[Path] = set()

    async def deliver(
        self, message: ClaimedMessage, recipients: tuple[ClaimedRecipient, ...], body: Body
    ) -> Mapping[int, Verdict]:
        """Try to deliver; see `DeliveryAgent`."""
        return {recipient.id: await self._verdict(message, recipient, body) for recipient in recipients}

    async def close(self) -> None:
        """Let the threads end."""
        self._threads.shutdown(wait=False)

    async def _verdict(self, message: ClaimedMessage, recipient: ClaimedRecipient, body: Body) -> Verdict:
        """Deliver to one recipient; never raises for what the disk does."""
        try:
            name = await self._mailbox(recipient.address)
            if name is None:
                return Verdict("failed", "mailbox", 0, "5.1.1", f"There is no mailbox {recipient.address} here.")
            folder = mailbox_path(self._root, name)
            full = await self._over_quota(message, name, folder)
            return full or await self._write(message, recipient, folder, body)
        except Trouble as trouble:  # the store
            return trouble.verdict()
        except OSError as error:
            return _disk_trouble(error)
        except Exception:
            log.exception("a delivery to a mailbox broke off", recipient=recipient.address)
            return Verdict("deferred", "mailbox", 0, "4.3.0", "An internal error; the daemon's log says more.")

    async def _over_quota(self, message: ClaimedMessage, name: str, folder: Path) -> Verdict | None:
        quota = await self._quota(name)
        if quota is None:
            return None
        held = await self._in_thread(used, folder)
        if held + message.size <= quota:
            return None
        words = f"The mailbox is full: {held} of {quota} octets are used, and the message has {message.size}."
        return Verdict("deferred", "mailbox", 0, "4.2.2", words, str(folder))

    async def _write(self, message: ClaimedMessage, recipient: ClaimedRecipient, folder: Path, body: Body) -> Verdict:
        if folder not in self._cleared:
            self._cleared.add(folder)
            await self._in_thread(clear_abandoned, folder)
        file = MaildirFile(folder)
        try:
            await self._in_thread(file.open, _headers(message.sender, recipient.address))
            async for chunk in guarded(body):
                await self._in_thread(file.write, chunk)
            await self._in_thread(file.commit)
        except BaseException:
            await asyncio.shield(self._in_thread(file.abandon))
            raise
        return Verdict("delivered", "mailbox", 0, "2.0.0", "Written to the mailbox.", str(folder))

    async def _in_thread(self, work: Callable[..., _T], *arguments: object) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)


def _headers(sender: str, recipient: str) -> bytes:
    """Return the two header fields of final delivery; nothing in an address can begin a third."""
    lines = f"Return-Path: <{_one_line(sender)}>\r\nDelivered-To: {_one_line(recipient)}\r\n"
    return lines.encode("utf-8", "replace")


def _one_line(text: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in text)


def _disk_trouble(error: OSError) -> Verdict:
    words = os.strerror(error.errno) if error.errno else str(error)
    if error.errno in _FULL:
        return Verdict("deferred", "mailbox", 0, "4.3.1", f"The disk of the mailboxes is full ({words}).")
    return Verdict("deferred", "mailbox", 0, "4.3.0", f"The mailbox cannot be written: {words}.")
