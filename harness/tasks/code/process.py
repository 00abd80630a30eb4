"""The parent's side of a process that runs task code: starting it, asking it, and what it may take before it is
ended.

Two servers fork these processes, one for code without permission and one for code that was allowed; each is started
when it is first needed. Code without permission gets no environment, no open file, no folder; the kernel's fences
hold the rest (`harness.fences`). What it says is read as plain values of bounded size, in bounded time, and never
run.
"""

from __future__ import annotations

import atexit
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from harness.errors import UserError, printable
from harness.fences import enclosure
from harness.tasks.code.frames import Channel, Ended, Lines, TooLate, TooLong
from harness.tasks.code.tagged_json import loads

_SECONDS = 60.0
"""What one question may take; and so much more for each thousand rows that go with it:"""
_SECONDS_PER_THOUSAND = 10.0
_LONGEST = 16 << 20
"""Bytes of an answer; and so many times what the question has:"""
_GROWTH = 16
_SET_PIPE_SIZE, _PIPE_SIZE = 1031, 1 << 20
PACKAGES = ("site-packages", "dist-packages")
"""Names of folders of installed packages."""
_CPU_SECONDS = 24 * 3600
_LEAST_MEMORY, _MOST_MEMORY = 1 << 30, 8 << 30
_HERE = str(Path(__file__).resolve().parents[3])
"""The folder of this package: the server imports it too."""
_START = "import sys; sys.path[:] = {path!r}; from harness.tasks.code.server import main; main({descriptor}, {allowed})"


class ForeignError(Exception):
    """What task code raised; its class has the name of the exception's."""


class HostProcess:
    """One process that runs task code. Ends when it is closed, and with its parent."""

    def __init__(self, allowed: bool, modules: Iterable[str], place: str) -> None:
        """modules: what the code will import. place: the file of the code, for errors. Raises UserError where code
        without permission can't be fenced in."""
        if not allowed and not enclosure.available().enough:
            raise UserError(
                "this machine can't fence task code in (that needs Linux on x86_64 or aarch64, with seccomp), so it "
                "runs only if you allow it: read the file, then say --allow-task-code",
                place=place,
            )
        self._allowed, self._place = allowed, place
        self._lock = threading.Lock()
        self._ended: str | None = None
        server = _server(allowed)
        self._channel, pid = server.fork(modules)
        self._end = weakref.finalize(self, _end, server, pid, self._channel, os.getpid())

    @property
    def ended(self) -> bool:
        """Whether it answers no more."""
        return self._ended is not None

    def ask(self, order: bytes, lines: Lines = (), seconds: float | None = None) -> tuple[dict[str, Any], list[bytes]]:
        """The answer: what its first line says, and the others. Raises ForeignError for what the code raised;
        UserError for what it may not, or where its process ended, whatever is asked of it then."""
        with self._lock:
            if self._ended is not None:
                raise UserError(self._ended, place=self._place)
            seconds = self._seconds(len(lines)) if seconds is None else seconds
            deadline = None if seconds is None else time.monotonic() + seconds
            longest = None if self._allowed else _LONGEST + _GROWTH * (len(order) + sum(map(len, lines)))
            try:
                self._channel.send([order, *lines], deadline)
                said, *others = self._channel.receive(deadline, longest)
                answer = loads(said)
                raised = error_of(answer)
                if not isinstance(answer, dict):
                    raise ValueError(type(answer))
            except TooLate:
                raise self._stopped(f"took longer than {seconds:.0f} s and was stopped") from None
            except TooLong:
                raise self._stopped(f"gives more than {(longest or 0) >> 20} MiB and was stopped") from None
            except Ended:
                raise self._stopped("ended its process (it needs too much memory, or crashed)") from None
            except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError):
                raise self._stopped("gives an answer that can't be read") from None
        if raised is not None:
            raise raised
        return answer, others

    def values(self, lines: Lines) -> list[Any]:
        """What lines of an answer say. Raises UserError."""
        try:
            return list(map(loads, lines))
        except ValueError:
            raise self._stopped("gives an answer that can't be read") from None

    def close(self) -> None:
        """End it."""
        self._end()
        self._ended = self._ended or "task code was asked after its process was closed"

    def _seconds(self, rows: int) -> float | None:
        if self._allowed:
            return None
        told = os.environ.get("HARNESS_TASK_CODE_SECONDS") or str(_SECONDS)
        try:
            return float(told) + rows / 1000 * _SECONDS_PER_THOUSAND
        except ValueError:
            raise UserError(f"is no number of seconds: {told!r}", place="HARNESS_TASK_CODE_SECONDS") from None

    def _stopped(self, why: str) -> UserError:
        self._ended = f"this task code {why}"
        self._end()
        return UserError(self._ended, place=self._place)


class _Server:
    """The process that forks hosts."""

    def __init__(self, allowed: bool) -> None:
        self.owner = os.getpid()
        self._lock = threading.Lock()
        self._control, other = socket.socketpair()
        with other:
            path = _path(allowed)
            start = _START.format(path=path, descriptor=other.fileno(), allowed=allowed)
            # -P and -s: nothing of the working folder or the user's; hashes of texts, and so sets, have one order
            bare = [] if allowed else ["-S"]
            seed = {"PYTHONHASHSEED": os.environ.get("PYTHONHASHSEED") or "0"}
            few = {**seed, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
            self._process = subprocess.Popen(
                [sys.executable, "-s", "-P", "-B", *bare, "-c", start],
                stdin=subprocess.DEVNULL,
                stdout=sys.__stderr__ if allowed and sys.__stderr__ is not None else subprocess.DEVNULL,
                stderr=None if allowed else subprocess.DEVNULL,
                env={**seed, **os.environ} if allowed else few,
                cwd=None if allowed else "/",
                pass_fds=[other.fileno()],
                start_new_session=True,
            )
        self._answers = self._control.makefile("rb")
        self._dead: list[int] = []

    @property
    def lives(self) -> bool:
        """Whether it serves this process."""
        return self.owner == os.getpid() and self._process.poll() is None

    def fork(self, modules: Iterable[str]) -> tuple[Channel, int]:
        """A new host: its channel, and its number. Raises UserError where the server ended."""
        from_parent, to_host = os.pipe()
        from_host, to_parent = os.pipe()
        try:
            with self._lock:
                ended, self._dead = self._dead, []
                order = {
                    "modules": list(modules),
                    "ended": ended,
                    "cpu_seconds": _CPU_SECONDS,
                    "memory_bytes": _memory(),
                }
                socket.send_fds(self._control, [json.dumps(order, allow_nan=False).encode()], [from_parent, to_parent])
                pid = int(json.loads(self._answers.readline())["pid"])
        except (OSError, ValueError):
            for descriptor in (to_host, from_host):
                os.close(descriptor)
            raise UserError("the process that starts task code ended; try again") from None
        finally:
            os.close(from_parent)
            os.close(to_parent)
        channel = Channel(from_host, to_host)
        for descriptor in (from_host, to_host):
            os.set_blocking(descriptor, False)
            with suppress(OSError):  # larger than a pipe's own 64 KiB: fewer changes of process
                fcntl.fcntl(descriptor, _SET_PIPE_SIZE, _PIPE_SIZE)
        return channel, pid

    def end(self, pid: int) -> None:
        """Kill a host. It may be called from anywhere, so it asks nobody: the server keeps the number until it is
        told."""
        if self.lives:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
            self._dead.append(pid)

    def close(self) -> None:
        """End it, and its hosts with it."""
        if self.owner == os.getpid():
            self._answers.close()
            self._control.close()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(1)
            self._process.kill()
            self._process.wait()


def _path(allowed: bool) -> list[str]:
    """Where a server finds modules. Without permission: Python's own folders and those of packages, not where a user,
    or who gave them a folder, has put files."""
    every = [str(Path(folder).absolute()) for folder in sys.path]
    if not allowed:
        own = (sys.base_prefix, sys.base_exec_prefix, sys.prefix)
        every = [folder for folder in every if Path(folder).name in PACKAGES or folder.startswith(own)]
    return list(dict.fromkeys([*every, _HERE]))


_SERVERS: dict[bool, _Server] = {}
_STARTING = threading.Lock()


def _server(allowed: bool) -> _Server:
    with _STARTING:
        known = _SERVERS.get(allowed)
        if known is None or not known.lives:
            _SERVERS[allowed] = known = _Server(allowed)
        return known


def start_ahead(allowed: bool) -> None:
    """Begin to start the server, so that it is there when it is needed. Doesn't wait, and raises nothing."""
    if allowed or enclosure.available().enough:
        with suppress(OSError):
            _server(allowed)


@atexit.register
def _close_servers() -> None:
    for server in _SERVERS.values():
        server.close()


def _end(server: _Server, pid: int, channel: Channel, owner: int) -> None:
    channel.close()
    if owner == os.getpid():
        server.end(pid)


def _memory() -> int:
    """Bytes of address space of a process that runs task code without permission: half of the machine's, within
    bounds."""
    try:
        installed = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        return _LEAST_MEMORY
    return max(_LEAST_MEMORY, min(_MOST_MEMORY, installed // 2))


def _error(told: Any) -> Exception:
    """The exception that a host tells of."""
    if "user" in told:
        message, place = told["user"]
        return UserError(printable(str(message)), place=None if place is None else printable(str(place)))
    name = str(told["kind"])
    bases: tuple[type, ...] = (ForeignError, KeyError) if told["key"] else (ForeignError,)
    text = printable(str(told["text"])) or ("it takes more memory than it may" if name == "MemoryError" else "")
    kind = type(name if name.isidentifier() else "Exception", bases, {"__str__": lambda self: text})
    made: Exception = kind(text)
    if told["trace"]:
        made.add_note(printable(str(told["trace"])))
    return made


def error_of(answer: Any) -> Exception | None:
    """The exception that an answer tells of; None for one that tells a value."""
    return _error(answer["error"]) if "error" in answer else None
