"""Runs code that a model wrote, with its tests: only where the user allows it, and only behind the kernel's fences.

Each program is run in a process of its own, and judged by its tests in another (`programs`): the program has no
descriptor of this process's, and none by which its verdict is given. Both are fenced in (`harness.fences`). What that
promises, and what not, says SECURITY.md.
"""

from __future__ import annotations

import atexit
import importlib.util
import json
import math
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from harness.errors import UserError, inert
from harness.fences.enclosure import available
from harness.fences.folder import remove
from harness.tasks.programs.names import split

_ROOT = str(Path(__file__).parents[3])
_START = (
    "import sys; sys.path.insert(0, sys.argv[1]); from harness.tasks.programs import server; sys.path.pop(0); "
    "server.main(int(sys.argv[2]), sys.argv[3], sys.argv[4])"
)
_NUMPY = re.compile(r"\bnumpy\b")
_GRACE = 30.0
"""Seconds that a server may need beyond a program's own."""


@dataclass(frozen=True)
class Program:
    """What a model wrote, and how it is judged."""

    text: str
    tests: str = ""
    """Code that raises where the program is wrong. Without it a program has passed when it runs to its end."""
    given: str = ""
    """The beginning of the text that the task gave: for the tests, functions that are whole in it are the task's."""


@dataclass(frozen=True)
class Limits:
    """What one program may use; its tests may use as much."""

    seconds: float = 5.0
    """Processor time (rounded up to whole seconds). Wall time is three times this and two seconds, so that a busy
    machine fails no program."""
    memory_bytes: int = 1 << 30
    """Address space."""
    file_bytes: int = 16 << 20
    """Size of each file; all together four times this."""
    open_files: int = 64


@dataclass(frozen=True)
class Outcome:
    """How one program ended."""

    status: Literal["passed", "failed", "timeout", "memory"]
    reason: str = ""
    """Of a failure: the exception, or how the process died."""

    @property
    def passed(self) -> bool:
        """Whether its tests ran to their end without an exception."""
        return self.status == "passed"

    def __str__(self) -> str:
        return f"{self.status}: {self.reason}" if self.reason else self.status


def run_programs(
    programs: Sequence[Program | str],
    *,
    limits: Limits | None = None,
    workers: int = 2,
    allow_code_execution: bool = False,
) -> list[Outcome]:
    """Run each program and its tests and say how it ended, in order.

    A program that is a text alone has its tests at its end: its last assertions, or `def check(...)` and what follows.
    Raises UserError unless `allow_code_execution`, and where this machine can't fence programs in.
    """
    if not allow_code_execution:
        raise UserError("this task runs code that a model wrote: allow it with --allow-code-execution", place="pass@k")
    if not (found := available()).enough:
        raise UserError(
            f"code that a model wrote is only run behind the kernel's fences, and this machine has {found}; run this "
            "task on Linux (x86_64 or aarch64, with seccomp)",
            place="pass@k",
        )
    whole = [one if isinstance(one, Program) else Program(*split(one)) for one in programs]
    with ThreadPoolExecutor(max_workers=max(1, min(workers, len(whole)))) as pool:
        return list(pool.map(lambda program: _run(program, limits or Limits()), whole))


def _run(program: Program, limits: Limits) -> Outcome:
    with_numpy = bool(_NUMPY.search(program.text) or _NUMPY.search(program.tests))
    order = {
        "readable": list(_numpy_folders()[1]) if with_numpy else [],
        "wall_seconds": 3 * limits.seconds + 2,
        "limits": {
            "cpu_seconds": max(1, math.ceil(limits.seconds)),
            "memory_bytes": limits.memory_bytes,
            "file_bytes": limits.file_bytes,
            "open_files": limits.open_files,
            "disk_bytes": 4 * limits.file_bytes,
        },
    }
    test = json.dumps({"tests": program.tests, "given": program.given}, allow_nan=False)
    server = _lent_server(with_numpy)
    reading, writing = os.pipe()
    try:
        texts = [_file(program.text), _file(test)]
        try:
            ended = server.judge(order, [*texts, writing])
        finally:
            for descriptor in (*texts, writing):
                os.close(descriptor)
        if ended is None:
            return Outcome("failed", "the process that runs programs ended")
        _give_back(server)
        os.set_blocking(reading, False)
        with suppress(BlockingIOError):
            return _outcome(os.read(reading, 1 << 16), ended)
        return _outcome(b"", ended)
    finally:
        os.close(reading)


def _outcome(said: bytes, ended: dict[str, Any]) -> Outcome:
    """What the tester said, unless somebody had to be stopped."""
    if excess := ended["excess"]:
        return Outcome("timeout" if "time" in excess else "failed", excess)
    by_time = (-signal.SIGXCPU, -signal.SIGKILL)  # the hard limit kills who ignores the soft one
    verdict, code = _verdict(said), ended["ended"]["tester"]
    if verdict is None or code != 0:
        if code in by_time:
            return Outcome("timeout", "processor time of the tests is up")
        return Outcome("failed", f"the tests ended before they were through, with exit code {code}")
    code = ended["ended"]["candidate"]
    if verdict["gone"] and code in by_time:
        return Outcome("timeout", "processor time is up")
    reason = inert(verdict["reason"])
    return Outcome(verdict["status"], f"{reason}, with exit code {code}" if verdict["gone"] else reason)


def _verdict(said: bytes) -> dict[str, Any] | None:
    """What a tester wrote; None where it wrote none, or its test something else."""
    try:
        verdict = json.loads(said)
        if verdict["status"] in ("passed", "failed", "memory") and isinstance(verdict["reason"], str):
            return {"gone": False, **verdict}
    except (ValueError, TypeError, KeyError, RecursionError):
        pass
    return None


def _file(text: str) -> int:
    """A file in memory that holds a text as JSON, and is nowhere else."""
    descriptor = os.memfd_create("program")
    with open(descriptor, "w", encoding="ascii", closefd=False) as file:
        json.dump(text, file, allow_nan=False)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def _numpy_folders() -> tuple[str, tuple[str, ...]]:
    """Where packages are installed that have numpy, and what of it may be read; nothing if there is none."""
    found = importlib.util.find_spec("numpy")
    if found is None or found.origin is None:
        return "", ()
    folder = Path(found.origin).parent
    return str(folder.parent), (str(folder), str(folder.parent / "numpy.libs"))


class _Server:
    """A process that forks programs: see `programs.server`."""

    def __init__(self, with_numpy: bool) -> None:
        self.with_numpy = with_numpy
        self.folder = tempfile.mkdtemp(prefix="harness-programs-")
        self.pid = os.getpid()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-s", "-S", "-B", "-c", _START, _ROOT, str(theirs.fileno()), self.folder,
                 _numpy_folders()[0] if with_numpy else ""],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                cwd=self.folder, pass_fds=[theirs.fileno()], start_new_session=True,
                # the same order of a set's words in every run; one thread, so that a fork has all of them
                env={"PYTHONHASHSEED": "0", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
            )  # fmt: skip
        self._socket = ours

    def judge(self, order: dict[str, Any], descriptors: list[int]) -> dict[str, Any] | None:
        """Have one program judged. Returns how its two processes ended; None where the server is no more."""
        try:
            self._socket.settimeout(order["wall_seconds"] + _GRACE)
            socket.send_fds(self._socket, [json.dumps(order, allow_nan=False).encode()], descriptors)
            said = self._socket.recv(1 << 16)
        except OSError:
            said = b""
        if not said:
            self.end()
            return None
        answer: dict[str, Any] = json.loads(said)
        return answer

    def end(self) -> None:
        """End it, and what it has running, and remove its folder: it does that itself, unless it is stuck."""
        self._socket.close()
        if self.pid == os.getpid():  # and not a fork of ours
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_GRACE)
            self._process.kill()
            self._process.wait()
            remove(self.folder)


_idle: list[_Server] = []
_guard = threading.Lock()


def _lent_server(with_numpy: bool) -> _Server:
    with _guard:
        for server in [one for one in _idle if one.pid == os.getpid() and one.with_numpy == with_numpy]:
            _idle.remove(server)
            return server
    return _Server(with_numpy)


def _give_back(server: _Server) -> None:
    with _guard:
        _idle.append(server)


@atexit.register
def _end_servers() -> None:
    with _guard:
        while _idle:
            _idle.pop().end()
