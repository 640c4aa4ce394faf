"""Gives up what root can do: the supervisor keeps the right to bind low ports, its children keep nothing.

capabilities(7), prctl(2). Every step is undoable by none of the processes afterwards: ``no_new_privs`` is set, so no
program that they start gains anything either.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable, Sequence
from typing import Final

CAP_CHOWN: Final = 0
CAP_DAC_OVERRIDE: Final = 1
CAP_DAC_READ_SEARCH: Final = 2
CAP_FOWNER: Final = 3
CAP_NET_BIND_SERVICE: Final = 10
# What a process that must stay root keeps, or its own files might be closed to it.
FILE_RIGHTS: Final = (CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER)

PR_SET_PDEATHSIG: Final = 1
PR_GET_PDEATHSIG: Final = 2
PR_SET_KEEPCAPS: Final = 8
PR_SET_NAME: Final = 15
PR_SET_NO_NEW_PRIVS: Final = 38
PR_CAP_AMBIENT: Final = 47
PR_CAP_AMBIENT_CLEAR_ALL: Final = 4
CAPABILITY_VERSION_3: Final = 0x20080522

_libc = ctypes.CDLL(None, use_errno=True)


class _Header(ctypes.Structure):
    _fields_ = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]


class _Data(ctypes.Structure):
    _fields_ = [("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32)]


def _prctl(option: int, argument: int) -> None:
    if _libc.prctl(option, ctypes.c_ulong(argument), 0, 0, 0) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def _permitted() -> int:
    """Return the permitted capabilities of this process as a bit mask."""
    data = (_Data * 2)()
    if _libc.capget(ctypes.byref(_Header(CAPABILITY_VERSION_3, 0)), data) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return int(data[0].permitted) | int(data[1].permitted) << 32


def _limit_to(capabilities: Iterable[int]) -> None:
    """Keep, permitted and effective, those of `capabilities` that we have; nothing is inherited by programs."""
    mask = sum(1 << capability for capability in capabilities) & _permitted()
    data = (_Data * 2)()
    for word in (0, 1):
        part = mask >> 32 * word & 0xFFFFFFFF
        data[word].effective = data[word].permitted = part
    if _libc.capset(ctypes.byref(_Header(CAPABILITY_VERSION_3, 0)), data) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def become(user: tuple[int, int, Sequence[int]] | None) -> None:
    """Turn the supervisor into `user` (uid, gid, groups) and keep only the right to bind low ports.

    With None it stays who it is; root then keeps the rights over files besides.

    Raises:
        OSError: the system refused a step.
    """
    at_parents_end = ctypes.c_int(0)
    _libc.prctl(PR_GET_PDEATHSIG, ctypes.byref(at_parents_end), 0, 0, 0)
    if user is not None:
        uid, gid, groups = user
        _prctl(PR_SET_KEEPCAPS, 1)
        os.setgroups(groups)
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)
        _prctl(PR_SET_KEEPCAPS, 0)
    kept = (CAP_NET_BIND_SERVICE, *FILE_RIGHTS) if os.geteuid() == 0 else (CAP_NET_BIND_SERVICE,)
    _prctl(PR_SET_NO_NEW_PRIVS, 1)
    _prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL)
    _limit_to(kept)
    # Whoever started us with the wish to be outlived by nobody: the kernel forgets it when the rights change.
    _prctl(PR_SET_PDEATHSIG, at_parents_end.value)


def keep_nothing() -> None:
    """Give up every capability, in a child of the supervisor; one that is root keeps its rights over files."""
    _limit_to(FILE_RIGHTS if os.geteuid() == 0 else ())


def name_process(name: str) -> None:
    """Show `name` (15 octets) in the process list."""
    _libc.prctl(PR_SET_NAME, ctypes.c_char_p(name.encode()[:15]), 0, 0, 0)
