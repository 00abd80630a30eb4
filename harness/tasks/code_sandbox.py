"""The child process in which one untrusted program runs: a script of its own, started with `python -I -S -B`.

Reads one line of JSON from stdin (program, nonce, limits), fences itself in, runs the program, and writes one line of
JSON with the nonce to what was its stdout. Imports nothing but the standard library. What the fences are worth says
`code_execution`.
"""

from __future__ import annotations

import ctypes
import json
import os
import platform
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 38, 22, 2
_ALLOW, _DENY, _NO_SUCH_CALL, _KILL = 0x7FFF0000, 0x00050001, 0x00050026, 0x80000000  # errno EPERM and ENOSYS
_CLONE_THREAD = 0x00010000
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06  # BPF instructions on 32-bit words

# Numbers of the calls that a program of arithmetic and text has no use for: sockets, processes, signals to others, more
# rights, kernel settings, shared memory that outlives it, and changes to files' owners, modes and times.
_CALLS = {
    # machine -> (audit number of the architecture, number of clone, denied calls)
    "x86_64": (
        0xC000003E,
        56,
        "41 42 49 50 57 58 59 322 62 129 200 234 297 424 434 438 101 310 311 160 302 272 308 165 166 155 161 321 "
        "425 426 427 248 249 250 175 176 313 169 246 167 164 227 170 298 323 319 29 64 68 240 90 91 268 452 92 93 "
        "94 260 132 235 261 280 188 189 190 197 198 199",
    ),
    "aarch64": (
        0xC00000B7,
        220,
        "198 200 201 203 221 281 129 130 131 138 240 424 434 438 117 270 271 164 261 97 268 40 39 41 51 280 425 "
        "426 427 217 218 219 105 106 273 142 104 224 170 112 161 241 282 279 194 190 186 180 52 53 452 54 55 88 5 "
        "6 7 14 15 16",
    ),
}
_CLONE3 = 435

_LANDLOCK_CREATE, _LANDLOCK_ADD, _LANDLOCK_RESTRICT = 444, 445, 446
_READ = 0b1100  # read a file, list a folder
_WRITE_FILE, _TRUNCATE = 1 << 1, 1 << 14

_FORBIDDEN_EVENTS = (
    "ctypes.",
    "ftplib.",
    "http.client.",
    "os.exec",
    "os.fork",
    "os.kill",
    "os.posix_spawn",
    "os.spawn",
    "os.startfile",
    "os.system",
    "pty.spawn",
    "resource.setrlimit",
    "resource.prlimit",
    "signal.pthread_kill",
    "smtplib.",
    "socket.bind",
    "socket.connect",
    "socket.getaddrinfo",
    "socket.gethostby",
    "socket.sendto",
    "subprocess.Popen",
    "urllib.",
    "webbrowser.",
)
_CHANGING_EVENTS = (
    "os.chmod",
    "os.chown",
    "os.link",
    "os.mkdir",
    "os.remove",
    "os.rename",
    "os.rmdir",
    "os.symlink",
    "os.truncate",
    "os.utime",
    "os.setxattr",
    "os.removexattr",
    "shutil.",
)


def main() -> None:
    """Run the program that stdin holds, and end the process."""
    order = json.loads(sys.stdin.buffer.readline())
    answers = os.dup(1)
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    folder = os.path.realpath(".")
    fenced = fence_in(folder, order["limits"])
    answer = {"nonce": order["nonce"], "fenced": fenced, **_run(order["program"], folder)}
    os.write(answers, json.dumps(answer, allow_nan=False).encode() + b"\n")
    os._exit(0)  # no exit handlers and no waiting for threads of the program's


def _run(program: str, folder: str) -> dict[str, str]:
    module = types.ModuleType("__main__")
    sys.modules["__main__"] = module
    sys.argv[:] = ["program.py"]
    try:
        code = compile(program, "program.py", "exec")
        sys.addaudithook(_guard(folder))
        exec(code, module.__dict__)
    except MemoryError:
        return {"status": "memory", "reason": "MemoryError"}
    except BaseException as error:  # SystemExit too: who leaves before the tests has passed none
        return {"status": "failed", "reason": f"{type(error).__name__}: {_short(error)}"}
    return {"status": "passed", "reason": ""}


def _short(error: BaseException) -> str:
    try:
        return str(error)[:200]
    except BaseException:
        return "?"


def fence_in(folder: str, limits: dict[str, int]) -> list[str]:
    """Give up what a program has no use for, for good. Returns which fences stand, of `seccomp` and `landlock`."""
    import resource

    def limit(which: int, soft: int, hard: int) -> None:
        ceiling = resource.getrlimit(which)[1]
        if ceiling != resource.RLIM_INFINITY:
            soft, hard = min(soft, ceiling), min(hard, ceiling)
        resource.setrlimit(which, (soft, hard))

    limit(resource.RLIMIT_CPU, limits["cpu_seconds"], limits["cpu_seconds"] + 1)
    limit(resource.RLIMIT_FSIZE, limits["file_bytes"], limits["file_bytes"])
    limit(resource.RLIMIT_NOFILE, limits["open_files"], limits["open_files"])
    limit(resource.RLIMIT_CORE, 0, 0)
    fenced = []
    if sys.platform == "linux":  # macOS knows no limit of address space
        limit(resource.RLIMIT_AS, limits["memory_bytes"], limits["memory_bytes"])
        libc = ctypes.CDLL(None, use_errno=True)
        libc.syscall.restype = ctypes.c_long
        if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0:
            fenced += ["landlock"] if _landlock(libc, folder) else []
            fenced += ["seccomp"] if _seccomp(libc) else []  # the last: it forbids setting limits
    if "seccomp" not in fenced:
        limit(resource.RLIMIT_NPROC, 0, 0)  # no threads either; doesn't bind root
    return fenced


def _seccomp(libc: Any) -> bool:
    if platform.machine() not in _CALLS:
        return False
    audit, clone, denied = _CALLS[platform.machine()]
    # (code, jump if true, jump if false, operand); in struct seccomp_data 0 is the number, 4 the machine, 16 argument 0
    steps = [(_LOAD, 0, 0, 4), (_EQUAL, 1, 0, audit), (_RETURN, 0, 0, _KILL), (_LOAD, 0, 0, 0)]
    steps += [(_AT_LEAST, 0, 1, 0x40000000), (_RETURN, 0, 0, _DENY)]  # the x32 numbers of x86_64
    for number in denied.split():
        steps += [(_EQUAL, 0, 1, int(number)), (_RETURN, 0, 0, _DENY)]
    steps += [
        (_EQUAL, 0, 1, _CLONE3),
        (_RETURN, 0, 0, _NO_SUCH_CALL),
    ]  # its flags can't be seen: glibc falls back to clone
    steps += [(_EQUAL, 0, 3, clone), (_LOAD, 0, 0, 16), (_ANY_BIT, 1, 0, _CLONE_THREAD), (_RETURN, 0, 0, _DENY)]
    steps += [(_RETURN, 0, 0, _ALLOW)]

    class Instruction(ctypes.Structure):
        _fields_ = (
            ("code", ctypes.c_ushort),
            ("jt", ctypes.c_ubyte),
            ("jf", ctypes.c_ubyte),
            ("k", ctypes.c_uint32),
        )

    class Program(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("steps", ctypes.POINTER(Instruction)))

    filled = (Instruction * len(steps))(*(Instruction(*step) for step in steps))
    program = Program(len(steps), filled)
    return bool(libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0) == 0)


def _landlock(libc: Any, folder: str) -> bool:
    """Files: everything in the folder, reading of the interpreter's own, and nothing else. TCP and signals: nothing."""
    version = libc.syscall(_LANDLOCK_CREATE, None, ctypes.c_size_t(0), ctypes.c_uint32(1))
    if version < 1:
        return False
    handled = (1 << (13, 14, 15, 15)[min(version, 4) - 1]) - 1 if version < 5 else (1 << 16) - 1
    size = 8 if version < 4 else 16 if version < 6 else 24
    rules = (ctypes.c_uint64 * 3)(
        handled, 0b11, 0b11
    )  # file rights, TCP bind and connect, abstract sockets and signals
    ruleset = libc.syscall(_LANDLOCK_CREATE, ctypes.byref(rules), ctypes.c_size_t(size), ctypes.c_uint32(0))
    if ruleset < 0:
        return False

    class Beneath(ctypes.Structure):
        _pack_ = 1
        _fields_ = (("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32))

    libraries = {sys.base_prefix + "/lib", sys.base_exec_prefix + "/lib", str(Path(os.__file__).parent)}
    libraries |= {"/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/share/zoneinfo", "/etc/localtime"}
    places = dict.fromkeys(libraries, _READ) | {os.devnull: _READ | _WRITE_FILE | _TRUNCATE, "/dev/urandom": _READ}
    for path, rights in (places | {folder: handled}).items():
        try:
            parent = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except OSError:
            continue
        rights &= handled if Path(path).is_dir() else handled & (0b111 | _TRUNCATE)
        rule = Beneath(rights, parent)
        added = libc.syscall(
            _LANDLOCK_ADD, ctypes.c_int(ruleset), ctypes.c_int(1), ctypes.byref(rule), ctypes.c_uint32(0)
        )
        os.close(parent)
        if added != 0:
            return False
    done = libc.syscall(_LANDLOCK_RESTRICT, ctypes.c_int(ruleset), ctypes.c_uint32(0))
    os.close(ruleset)
    return bool(done == 0)


def _guard(folder: str) -> Callable[[str, tuple[Any, ...]], None]:
    """An audit hook: a sentence for what the kernel would refuse anyway, and the only fence where it has none."""
    inside = folder + os.sep
    devnull = os.devnull
    real, join, fspath, refuse = os.path.realpath, os.path.join, os.fsdecode, PermissionError
    writing = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

    def is_inside(path: Any) -> bool:
        if not isinstance(path, str | bytes | os.PathLike):
            return isinstance(path, int)  # a descriptor that is open already
        place = real(join(folder, fspath(path)))
        return place in (folder, devnull) or place.startswith(inside)

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event.startswith(_FORBIDDEN_EVENTS):
            raise refuse(f"not allowed here: {event}")
        if event == "open":
            path, mode, flags = arguments
            changes = flags & writing if isinstance(flags, int) and flags else any(c in str(mode) for c in "wax+")
            if changes and not is_inside(path):
                raise refuse("not allowed here: writing outside the working folder")
        elif event.startswith(_CHANGING_EVENTS):
            for path in arguments[: 2 if event.startswith(("os.link", "os.rename", "os.symlink")) else 1]:
                if not is_inside(path):
                    raise refuse(f"not allowed here: {event} outside the working folder")

    return hook


if __name__ == "__main__":
    main()
