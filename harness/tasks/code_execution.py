"""Runs code that a model wrote, with tests: only where the user allows it, each program in a process of its own.

What holds on Linux 5.13 or later on x86_64 or aarch64, also for root, enforced by the kernel and not to be undone by
the program: no other process can be started, signalled or traced (seccomp); no socket opened (seccomp); no file read
but the interpreter's own libraries and nothing written but in an empty folder that is deleted afterwards (landlock); at
most so much processor time, address space, size per file and open files (rlimits), and so much wall time, after which
it is killed. Its environment is empty, stdin ends at once, what it prints is thrown away. Threads are allowed.

What doesn't hold: on older kernels and on other systems the network, processes and files are kept from it by a Python
audit hook alone, which stops mistakes and not malice. The number of files in its folder is limited by wall time only. A
program that inspects the interpreter's frames can claim to have passed. None of this is a virtual machine: run
code of models that you have a reason to fear in one.
"""

from __future__ import annotations

import json
import os
import secrets
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass
from math import ceil
from pathlib import Path
from typing import Any, Literal

from harness.errors import UserError, printable

_SANDBOX = Path(__file__).with_name("code_sandbox.py")
_LONGEST_ANSWER = 1 << 16


@dataclass(frozen=True)
class Limits:
    """What one program may use."""

    seconds: float = 5.0
    """Processor time (rounded up to whole seconds). Wall time is three times this and two seconds, so that a busy
    machine fails no program."""
    memory_bytes: int = 1 << 30
    """Address space."""
    file_bytes: int = 16 << 20
    """Size of each file."""
    open_files: int = 64


@dataclass(frozen=True)
class Outcome:
    """How one program ended."""

    status: Literal["passed", "failed", "timeout", "memory"]
    reason: str = ""
    """Of a failure: the exception, or how the process died."""
    fences: tuple[str, ...] = ()
    """Which of `seccomp` and `landlock` stood."""

    @property
    def passed(self) -> bool:
        """Whether it ran to its end without an exception."""
        return self.status == "passed"

    def __str__(self) -> str:
        return f"{self.status}: {self.reason}" if self.reason else self.status


def run_programs(
    programs: Sequence[str], *, limits: Limits | None = None, workers: int = 2, allow_code_execution: bool = False
) -> list[Outcome]:
    """Run each program (with its tests appended) and say how it ended, in order.

    A program has passed if it runs to its end: tests raise where it is wrong; `sys.exit(0)` before its end is
    a failure.
    Raises UserError unless `allow_code_execution`.
    """
    if not allow_code_execution:
        raise UserError("this task runs code that a model wrote: allow it with --allow-code-execution", place="pass@k")
    with ThreadPoolExecutor(max_workers=max(1, min(workers, len(programs)))) as pool:
        return list(pool.map(lambda program: _run(program, limits or Limits()), programs))


def _run(program: str, limits: Limits) -> Outcome:
    nonce = secrets.token_hex(16)
    allowed = {key: int(value) for key, value in asdict(limits).items() if key != "seconds"}
    order = {"program": program, "nonce": nonce, "limits": allowed | {"cpu_seconds": max(1, ceil(limits.seconds))}}
    with tempfile.TemporaryDirectory(prefix="harness-program-", ignore_cleanup_errors=True) as folder:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-B", str(_SANDBOX)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=folder,
            env={},
            start_new_session=True,
        )
        try:
            said = _converse(process, json.dumps(order, allow_nan=False).encode() + b"\n", 3 * limits.seconds + 2)
            with suppress(subprocess.TimeoutExpired):
                process.wait(0 if said is None else 1)  # how it died by itself, before it is killed
        finally:
            died = process.returncode
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            for stream in (process.stdin, process.stdout):
                if stream:
                    with suppress(OSError):
                        stream.close()
    return _judge(said, nonce, died)


def _converse(process: subprocess.Popen[bytes], order: bytes, seconds: float) -> bytes | None:
    """Hand over the order and read until the process closes its side; None when time is up."""
    assert process.stdin and process.stdout
    deadline = time.monotonic() + seconds
    said, sent = b"", 0
    with selectors.DefaultSelector() as streams:
        os.set_blocking(process.stdin.fileno(), False)
        streams.register(process.stdin, selectors.EVENT_WRITE)
        streams.register(process.stdout, selectors.EVENT_READ)
        while (left := deadline - time.monotonic()) > 0:
            for key, _ in streams.select(left):
                if key.fileobj is process.stdin:
                    try:
                        sent += os.write(key.fd, order[sent : sent + 65536])
                    except BrokenPipeError:
                        sent = len(order)
                    if sent == len(order):
                        streams.unregister(process.stdin)
                        with suppress(OSError):
                            process.stdin.close()
                    continue
                part = os.read(key.fd, 65536)
                said += part
                if not part or len(said) > _LONGEST_ANSWER:
                    return said
    return None


def _judge(said: bytes | None, nonce: str, code: int | None) -> Outcome:
    if said is None:
        return Outcome("timeout", "wall time is up")
    for line in said.splitlines():
        with suppress(ValueError):
            answer: Any = json.loads(line)
            if isinstance(answer, dict) and answer.get("nonce") == nonce:
                return Outcome(answer["status"], printable(answer["reason"]), tuple(answer["fenced"]))
    if code in (-signal.SIGXCPU, -signal.SIGKILL):  # the hard limit kills who ignores the soft one
        return Outcome("timeout", "processor time is up")
    if code is None:
        return Outcome("failed", "closed its output before its tests ended")
    return Outcome("failed", f"ended before its tests did, with exit code {code}")
