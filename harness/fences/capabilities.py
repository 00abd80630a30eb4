"""Gives up what a privileged process may do beyond others, for good. Source: capabilities(7), linux/capability.h."""

from __future__ import annotations

import ctypes
import platform
from typing import Any

_NO_NEW_PRIVS, _DROP_FROM_BOUND, _AMBIENT, _CLEAR_ALL, _SECURE_BITS = 38, 24, 47, 4, 28
_DIE_WITH_PARENT = 1
_VERSION_3 = 0x20080522
_LOCKED_NO_ROOT = 0b101111  # root's id gives nothing, ids keep nothing, and neither can be undone
_CAPGET_CAPSET = {"x86_64": (125, 126), "aarch64": (90, 91)}


def no_new_privileges() -> bool:
    """From now on no program that is started gives more rights: the other fences need it. Returns whether it holds."""
    libc = _libc()
    return bool(libc.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0) == 0)


def die_with_parent(signal: int) -> None:
    """The kernel sends this process a signal when the thread that forked it ends."""
    _libc().prctl(_DIE_WITH_PARENT, signal, 0, 0, 0)


def drop() -> bool:
    """Drop all capabilities, also what could be had again. Returns whether none is left."""
    libc = _libc()
    for capability in range(64):
        libc.prctl(_DROP_FROM_BOUND, capability, 0, 0, 0)
    libc.prctl(_AMBIENT, _CLEAR_ALL, 0, 0, 0)
    libc.prctl(_SECURE_BITS, _LOCKED_NO_ROOT, 0, 0, 0)
    numbers = _CAPGET_CAPSET.get(platform.machine())
    if numbers is None:
        return False
    ask, give_up = numbers
    header = (ctypes.c_uint32 * 2)(_VERSION_3, 0)
    left = (ctypes.c_uint32 * 6)()
    libc.syscall(give_up, ctypes.byref(header), ctypes.byref(left))
    known = libc.syscall(ask, ctypes.byref(header), ctypes.byref(left)) == 0
    return known and not any(left)


def _libc() -> Any:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    return libc
