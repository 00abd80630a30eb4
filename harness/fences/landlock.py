"""Which files a process may still reach: a ruleset of the kernel's, by folders. Source: landlock(7), linux/landlock.h.

What is named may be read; in one folder files and folders may also be made, changed and removed. Nothing may be
executed, and no device, socket, fifo or link be made anywhere.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_CREATE, _ADD, _RESTRICT = 444, 445, 446
_ASK_VERSION, _BENEATH = 1, 1
_WRITE_FILE, _READ_FILE, _READ_FOLDER, _REMOVE_FOLDER, _REMOVE_FILE = (1 << bit for bit in (1, 2, 3, 4, 5))
_MAKE_FOLDER, _MAKE_FILE, _MOVE, _TRUNCATE = (1 << bit for bit in (7, 8, 13, 14))
_READ = _READ_FILE | _READ_FOLDER
_OWN = _READ | _WRITE_FILE | _REMOVE_FOLDER | _REMOVE_FILE | _MAKE_FOLDER | _MAKE_FILE | _MOVE | _TRUNCATE
_OF_FILES = _READ_FILE | _WRITE_FILE | _TRUNCATE
_RIGHTS = (13, 14, 15, 15, 16)  # how many rights of files each version knows; from the fifth on the same
TRUNCATES = 3
"""The version from which `truncate` is seen."""


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32))


def version() -> int:
    """Which version of Landlock this kernel has; 0: none. Changes nothing."""
    if sys.platform != "linux":
        return 0
    return max(0, int(_syscall()(_CREATE, None, ctypes.c_size_t(0), ctypes.c_uint32(_ASK_VERSION))))


def interpreter_paths() -> tuple[str, ...]:
    """What holds Python's standard library and the system's libraries, and a source of random bytes."""
    libraries = dict.fromkeys([
        str(Path(os.__file__).parent), sys.base_prefix + "/lib", sys.base_exec_prefix + "/lib",
        "/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/share/zoneinfo", "/etc/localtime", "/dev/urandom",
    ])  # fmt: skip
    return tuple(libraries)


def restrict(folder: str | None, readable: Sequence[str]) -> bool:
    """Put the ruleset up, for good. Returns whether it stands.

    folder: what the process may change, or None; readable: files and folders that it may read. /dev/null may be read
    and written.
    """
    known = version()
    if known < 1:
        return False
    libc = _syscall()
    handled = (1 << _RIGHTS[min(known, len(_RIGHTS)) - 1]) - 1
    size = 8 if known < 4 else 16 if known < 6 else 24
    # rights of files, TCP bind and connect, abstract sockets and signals: all handled, so that none is left
    rules = (ctypes.c_uint64 * 3)(handled, 0b11, 0b11)
    ruleset = libc(_CREATE, ctypes.byref(rules), ctypes.c_size_t(size), ctypes.c_uint32(0))
    if ruleset < 0:
        return False
    places = dict.fromkeys(readable, _READ) | {os.devnull: _READ_FILE | _WRITE_FILE | _TRUNCATE}
    if folder is not None:
        places[folder] = _OWN
    try:
        for path, rights in places.items():
            try:
                parent = os.open(path, os.O_PATH | os.O_CLOEXEC)
            except OSError:
                continue
            rights &= handled if Path(path).is_dir() else handled & _OF_FILES
            rule = _Beneath(rights, parent)
            added = libc(_ADD, ctypes.c_int(ruleset), ctypes.c_int(_BENEATH), ctypes.byref(rule), ctypes.c_uint32(0))
            os.close(parent)
            if added != 0:
                return False
        return bool(libc(_RESTRICT, ctypes.c_int(ruleset), ctypes.c_uint32(0)) == 0)
    finally:
        os.close(ruleset)


def _syscall() -> Any:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    return libc.syscall
