"""Who the processes run as when root starts them, and that the state folder is theirs (pure: no Django).

The choice: the user that was asked for (``--user`` or ``MAILADMIN_USER``), else the system user ``mailadmin``, else the
owner of the state folder, else ``nobody``. A user who cannot reach the state folder is no choice: asked for by name it
stops the start, found by itself it leaves root running, with a warning.
"""

from __future__ import annotations

import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final

VARIABLE: Final = "MAILADMIN_USER"
OWN_USER: Final = "mailadmin"
LAST_RESORT: Final = "nobody"


class CannotRunAsError(Exception):
    """The user asked for cannot be used; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class User:
    """A user of the system, with the groups it is in."""

    name: str
    uid: int
    gid: int
    groups: tuple[int, ...]


def _user(entry: pwd.struct_passwd) -> User:
    return User(entry.pw_name, entry.pw_uid, entry.pw_gid, tuple(os.getgrouplist(entry.pw_name, entry.pw_gid)))


def choose(requested: str | None, home: Path) -> User | None:
    """Return the user to become, or None to stay who we are.

    Args:
        requested: a name from the command line; None looks at the environment and then at what is there.
        home: the state folder; it exists.

    Raises:
        CannotRunAsError: the user asked for does not exist, cannot reach `home`, or we are not root.
    """
    requested = requested or os.environ.get(VARIABLE) or None
    if requested is not None:
        return _requested(requested, home)
    if os.geteuid() != 0:
        return None
    entry = _candidate(home)
    user = _user(entry) if entry is not None else None
    return user if user is not None and reaches(user, home) else None


def _requested(name: str, home: Path) -> User | None:
    try:
        user = _user(pwd.getpwnam(name))
    except KeyError:
        raise CannotRunAsError(f"There is no user {name!r} on this machine. Make it, or name another one.") from None
    if user.uid == os.geteuid():
        return None
    if os.geteuid() != 0:
        raise CannotRunAsError(f"Only root can start this as {name!r}. Start it as root, or as {name!r} itself.")
    if not reaches(user, home):
        raise CannotRunAsError(
            f"The user {name!r} cannot reach the state folder {home}. Set MAILADMIN_HOME to a folder "
            f"that it can reach, such as /var/lib/mailadmin, or open the folders above it (chmod o+x)."
        )
    return user


def _candidate(home: Path) -> pwd.struct_passwd | None:
    """Return the user that is meant when none was named."""
    for name in (OWN_USER, home.stat().st_uid, LAST_RESORT):
        try:
            entry = pwd.getpwnam(name) if isinstance(name, str) else pwd.getpwuid(name)
        except KeyError:
            continue
        if entry.pw_uid != 0:
            return entry
    return None


def reaches(user: User, path: Path) -> bool:
    """Say whether `user` gets into the folder `path`; asked in a child that becomes `user`: only that is certain."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.setgroups(user.groups)
            os.setresgid(user.gid, user.gid, user.gid)
            os.setresuid(user.uid, user.uid, user.uid)
            os.chdir(path)
            code = 0
        finally:
            os._exit(code)
    return os.waitpid(pid, 0)[1] == 0


def give_to_owner_of_folder(descriptor: int, folder: Path) -> None:
    """Let a new file that root makes belong to whom its folder belongs: root's commands work beside the daemon's."""
    if os.geteuid() == 0:
        owner = folder.stat()
        os.fchown(descriptor, owner.st_uid, owner.st_gid)


def hand_over(home: Path, user: User) -> None:
    """Make `home` and what is in it belong to `user`.

    Goes down only into folders that are not the user's yet, so it is quick at every later start, and touches no file
    that has a second name: the user could have made one of a file elsewhere.
    """
    for entry in os.scandir(home):
        facts = entry.stat(follow_symlinks=False)
        if facts.st_uid == user.uid:
            continue
        if stat.S_ISDIR(facts.st_mode):
            hand_over(Path(entry.path), user)
        elif facts.st_nlink == 1:
            os.chown(entry.path, user.uid, user.gid, follow_symlinks=False)
    if home.stat().st_uid != user.uid:
        os.chown(home, user.uid, user.gid)
