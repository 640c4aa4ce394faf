"""Maildir on disk: where a mailbox is, how a message gets into it, how much is in it (blocking; runs in a thread).

A mailbox is ``ROOT/DOMAIN/LOCAL-PART/`` with ``tmp``, ``new`` and ``cur`` in it, all of mode 0700. A message is
written to ``tmp``, synced, linked into ``new``, and ``new`` is synced: only then is it delivered. A crash before the
link leaves a file in ``tmp``, which a later delivery removes when it is 36 hours old (cr.yp.to/proto/maildir.html).

The octets are those of the message, CRLF included, so the copy equals what was sent; Dovecot and Python's mailbox
module read both kinds of line ends.
"""

from __future__ import annotations

import errno
import os
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path
from threading import Lock
from typing import Final

_FOLDERS: Final = ("tmp", "new", "cur")
_ABANDONED: Final = 36 * 3600  # seconds
_WITHOUT_LINKS: Final = {errno.EPERM, errno.ENOTSUP, errno.EMLINK}  # file systems that have none
_sequence: Final = count()


def mailbox_path(root: Path, address: str) -> Path:
    """Return the folder of the mailbox `address` (in normal form).

    Each part becomes exactly one name: a slash, a percent sign, a leading dot and whatever is invisible are written as
    %XX. So no address leads anywhere else, and two addresses never share a folder.

    Raises:
        ValueError: it is no address.
    """
    local, _, domain = address.rpartition("@")
    if not local or not domain:
        raise ValueError("a mailbox is named local-part@domain")
    return root / _as_name(domain) / _as_name(local)


def _as_name(part: str) -> str:
    return "".join(
        "".join(f"%{octet:02x}" for octet in character.encode("utf-8", "surrogatepass"))
        if character in "/%" or not character.isprintable() or (character == "." and position == 0)
        else character
        for position, character in enumerate(part)
    )


class MaildirFile:
    """A message on its way into a mailbox: `open`, `write` as often as needed, then `commit` or `abandon`.

    A lock keeps each call whole: a delivery that is cancelled abandons its file while a thread may still be writing,
    and a descriptor must not be closed, and perhaps given to another file, under that thread's hands.
    """

    def __init__(self, mailbox: Path) -> None:
        self._lock = Lock()
        self._mailbox = mailbox
        self._size = 0
        now = time.time_ns() // 1000
        host = socket.gethostname().replace("/", "\\057").replace(":", "\\072")
        self._name = f"{now // 1_000_000}.M{now % 1_000_000}P{os.getpid()}Q{next(_sequence)}.{host}"
        self._file = -1
        self._abandoned = False

    def open(self, headers: bytes) -> None:
        """Make the mailbox if need be, and begin the file with `headers`.

        Raises:
            OSError: the file cannot be made.
        """
        with self._lock:
            if self._abandoned:
                raise OSError(errno.ECANCELED, os.strerror(errno.ECANCELED))
            for folder in _FOLDERS:
                _make(self._mailbox / folder)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            self._file = os.open(self._temporary, flags, 0o600)
        self.write(headers)

    def write(self, block: bytes) -> None:
        """Append `block`.

        Raises:
            OSError: it cannot be written.
        """
        with self._lock:
            rest = memoryview(block)
            while rest:
                rest = rest[os.write(self._file, rest) :]
            self._size += len(block)

    def commit(self) -> Path:
        """Sync the file, put it into ``new`` and sync that: it is delivered when this returns.

        Raises:
            OSError: it was not delivered (or, if only the folder's sync failed, may not outlive a crash).
        """
        with self._lock:
            os.fsync(self._file)
            self._close()
            return self._enter()

    def abandon(self) -> None:
        """Remove what was written; harmless after `commit`, and when nothing was opened."""
        with self._lock:
            self._abandoned = True
            self._close()
            with suppress(OSError):
                self._temporary.unlink()

    @property
    def _temporary(self) -> Path:
        return self._mailbox / "tmp" / self._name

    def _enter(self) -> Path:
        """Put the complete file into ``new``."""
        final = self._mailbox / "new" / f"{self._name},S={self._size}"
        try:
            os.link(self._temporary, final)  # unlike rename, it never replaces a file
        except OSError as error:
            if error.errno not in _WITHOUT_LINKS:
                raise
            self._temporary.rename(final)
        else:
            self._temporary.unlink()
        _sync(final.parent)
        return final

    def _close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def used(mailbox: Path) -> int:
    """Return how many octets the messages in `mailbox` have; names that tell (``,S=``) save a look at the file."""
    return sum(_size(entry) for folder in ("new", "cur") for entry in _entries(mailbox / folder))


def clear_abandoned(mailbox: Path) -> None:
    """Remove what crashed deliveries left in ``tmp``."""
    oldest = time.time() - _ABANDONED
    for entry in _entries(mailbox / "tmp"):
        with suppress(OSError):
            if entry.stat(follow_symlinks=False).st_mtime < oldest:
                Path(entry.path).unlink()


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    with suppress(FileNotFoundError), os.scandir(folder) as entries:
        yield from entries


def _size(entry: os.DirEntry[str]) -> int:
    _, told, rest = entry.name.partition(",S=")
    digits = rest.partition(",")[0].partition(":")[0]
    if told and digits.isascii() and digits.isdecimal():
        return int(digits)
    with suppress(OSError):
        return entry.stat(follow_symlinks=False).st_size
    return 0


def _make(folder: Path) -> None:
    """Make `folder` and what is missing above it, each synced into its parent."""
    if folder.is_dir():
        return
    _make(folder.parent)
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
        _sync(folder.parent)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
