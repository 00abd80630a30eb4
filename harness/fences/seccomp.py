"""Which system calls a process may still make: an allow-list, as a filter that the kernel runs before each call.

Sources: seccomp(2), linux/seccomp.h, linux/bpf_common.h. What isn't listed fails with EPERM, or with ENOSYS where
libraries then do without; a call by another machine's numbers (32 bits) ends the process.
"""

from __future__ import annotations

import ctypes
import os
import platform
from collections.abc import Sequence
from typing import Any

from harness.fences import system_calls

_LOAD, _EQUAL, _AT_LEAST, _AND, _RETURN = 0x20, 0x15, 0x35, 0x54, 0x06  # BPF instructions on 32-bit words
_ALLOW, _KILL = 0x7FFF0000, 0x80000000
_FAIL = 0x00050000  # plus the error's number
_EPERM, _EACCES, _ENOSYS = 1, 13, 38
_NUMBER, _MACHINE = 0, 4  # where struct seccomp_data has them; arguments are 64-bit words from 16 on, low half first

_SET_FILTER, _ALL_THREADS, _ASK_ACTION = 1, 1, 2
_NEW_THREAD = (0x3D0F00, 0x7D0F00)  # the flags with which glibc and musl start a thread, exactly
_FCNTL = (0, 1, 2, 3, 4, 1030)  # F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_DUPFD_CLOEXEC
_IOCTL = (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)  # TCGETS, TIOCGWINSZ, FIONREAD, FIONBIO, FIONCLEX, FIOCLEX
_PRCTL = (3, 15, 16, 0x53564D41)  # PR_GET_DUMPABLE, PR_SET_NAME, PR_GET_NAME, PR_SET_VMA
_UNIX, _STREAM, _KIND = 1, 1, 0xF
_OWNER = 0o700
_O_ACCMODE, _O_TRUNC = 0o3, 0o1000

Step = tuple[int, int, int, int]
"""One instruction: code, jump if true, jump if false, operand."""


class _Instruction(ctypes.Structure):
    _fields_ = (("code", ctypes.c_ushort), ("jt", ctypes.c_ubyte), ("jf", ctypes.c_ubyte), ("k", ctypes.c_uint32))


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("steps", ctypes.POINTER(_Instruction)))


def available() -> bool:
    """Whether this machine can be fenced by a filter of ours; changes nothing."""
    machine = platform.machine()
    if os.name != "posix" or platform.system() != "Linux" or machine not in system_calls.ARCHITECTURES:
        return False
    if ctypes.sizeof(ctypes.c_void_p) != 8:
        return False
    action = ctypes.c_uint32(_KILL)
    return bool(_syscall()(system_calls.seccomp(machine), _ASK_ACTION, 0, ctypes.byref(action)) == 0)


def restrict(*, opens: bool, changes: bool, truncates: bool, threads: bool) -> bool:
    """Put the filter up, for good. Returns whether it stands.

    opens: whether files may be opened (Landlock says which); changes: whether folders may be changed; truncates:
    whether Landlock sees `truncate`; threads: whether new ones may be started.
    """
    machine = platform.machine()
    if machine not in system_calls.ARCHITECTURES:
        return False
    steps = _steps(machine, os.getpid(), opens=opens, changes=changes, truncates=truncates, threads=threads)
    filled = (_Instruction * len(steps))(*(_Instruction(*step) for step in steps))
    program = _Program(len(steps), filled)
    done = _syscall()(system_calls.seccomp(machine), _SET_FILTER, _ALL_THREADS, ctypes.byref(program))
    return bool(done == 0)


def _syscall() -> Any:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    return libc.syscall


def _steps(machine: str, pid: int, *, opens: bool, changes: bool, truncates: bool, threads: bool) -> list[Step]:
    calls = system_calls.by_arguments(machine)
    steps: list[Step] = [
        (_LOAD, 0, 0, _MACHINE),
        (_EQUAL, 1, 0, system_calls.ARCHITECTURES[machine]),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER),
        (_AT_LEAST, 0, 1, system_calls.NEWEST),  # the x32 numbers of x86_64 too
        (_RETURN, 0, 0, _FAIL | _ENOSYS),
    ]
    allowed = system_calls.always(machine) | (system_calls.in_folders(machine) if changes else {})
    for number in allowed.values():
        steps += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, _ALLOW)]
    for number in system_calls.not_there(machine).values():
        steps += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, _FAIL | _ENOSYS)]
    rules = {
        "clone": _one_of(0, _NEW_THREAD) if threads else [],
        "fcntl": _one_of(1, _FCNTL),
        "ioctl": _one_of(1, _IOCTL),
        "prctl": _one_of(0, _PRCTL),
        "kill": _one_of(0, (pid,)),
        "tgkill": _one_of(0, (pid,)),
        "prlimit64": _zero(2) + _one_of(0, (0, pid)),  # asking, not setting
        "socketpair": _one_of(0, (_UNIX,), then=[_low(1), (_AND, 0, 0, _KIND), *_allow_if((_STREAM,))]),
        "sendto": [*_zero(4), (_RETURN, 0, 0, _ALLOW)],  # to the other end, to no address
        "truncate": [(_RETURN, 0, 0, _ALLOW)] if truncates and changes else [],
        "mkdir": _making(1) if changes else [],
        "mkdirat": _making(2) if changes else [],
        "open": _opening(1) if opens else [(_RETURN, 0, 0, _FAIL | _EACCES)],
        "openat": _opening(2) if opens else [(_RETURN, 0, 0, _FAIL | _EACCES)],
    }
    for name, number in calls.items():
        body = [*rules[name], (_RETURN, 0, 0, _FAIL | _EPERM)]
        steps += [(_EQUAL, 0, len(body), number), *body]
    return [*steps, (_RETURN, 0, 0, _FAIL | _EPERM)]


def _low(argument: int) -> Step:
    return (_LOAD, 0, 0, 16 + 8 * argument)


def _allow_if(values: Sequence[int]) -> list[Step]:
    """Allow what is loaded if it is one of the values; else go on."""
    return [step for value in values for step in ((_EQUAL, 0, 1, value), (_RETURN, 0, 0, _ALLOW))]


def _one_of(argument: int, values: Sequence[int], then: list[Step] | None = None) -> list[Step]:
    """Go on with `then`, or allow, if the argument (32 bits, as the kernel reads these) is one of the values."""
    if then is None:
        return [_low(argument), *_allow_if(values)]
    (value,) = values
    return [_low(argument), (_EQUAL, 0, len(then), value), *then]


def _zero(argument: int) -> list[Step]:
    """Go on if the argument is a null pointer, else refuse."""
    refuse = (_RETURN, 0, 0, _FAIL | _EPERM)
    low, high = 16 + 8 * argument, 20 + 8 * argument
    return [(_LOAD, 0, 0, low), (_EQUAL, 1, 0, 0), refuse, (_LOAD, 0, 0, high), (_EQUAL, 1, 0, 0), refuse]


def _making(argument: int) -> list[Step]:
    """Allow to make folders that the parent can list: else what is in them couldn't be counted."""
    return [_low(argument), (_AND, 0, 0, _OWNER), *_allow_if((_OWNER,))]


def _opening(argument: int) -> list[Step]:
    """Refuse to empty a file that is opened for reading: older Landlocks don't see it."""
    flags = _O_ACCMODE | _O_TRUNC
    return [
        _low(argument),
        (_AND, 0, 0, flags),
        (_EQUAL, 0, 1, _O_TRUNC),
        (_RETURN, 0, 0, _FAIL | _EACCES),
        (_RETURN, 0, 0, _ALLOW),
    ]
