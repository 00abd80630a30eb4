"""The process of one arm, seen from here: every request has a timeout, and whatever ends it is one sentence."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from harness.errors import UserError, inert, shown, signal_name
from harness.gate.arms import arm_worker
from harness.gate.arms.arm import Arm

WORKER = Path(str(arm_worker.__file__)).resolve()
LINES = 6
"""Of an arm's own output, how many are quoted where it ends."""
MOST_LOG = 16_000_000
"""Bytes of an arm's own output that are kept: a call that prints, a million times, would fill the disk."""
QUIET_WAITS = {
    "OMP_WAIT_POLICY": "PASSIVE",
    "KMP_BLOCKTIME": "0",
    "GOMP_SPINCOUNT": "0",
    "OPENBLAS_THREAD_TIMEOUT": "4",
}
"""Threads that wait for work must not spin: the idle arm's would take the other's turn. Both arms are given these."""
THREADS = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)


class ArmFailed(UserError):
    """An arm that ended, hangs or refuses: which, what it was doing, and its last words."""


class Worker(Protocol):
    """What a launch knows of an arm's process."""

    def ask(self, do: str, timeout: float, **request: Any) -> Any:
        """The answer to one request. Raises ArmFailed."""

    def hang_up(self) -> None:
        """Ask nothing more of it."""

    def close(self) -> None:
        """End it."""


class ArmProcess:
    """An arm's own Python, running `arm_worker.py`."""

    def __init__(self, name: str, arm: Arm, environment: Mapping[str, str], log: Path) -> None:
        """Start it; it answers when its interpreter is up. log: takes what it prints. Raises ArmFailed."""
        self._place = f"arm {name}"
        self._log = log
        to_worker, self._requests = os.pipe()
        self._answers, from_worker = os.pipe()
        self._begin = log.stat().st_size if log.exists() else 0
        try:
            with log.open("ab") as output:
                self._process = subprocess.Popen(
                    [arm.python, str(WORKER), str(to_worker), str(from_worker)],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    env=dict(environment),
                    pass_fds=(to_worker, from_worker),
                    start_new_session=True,  # Ctrl-C is for this process; what the arm has started ends with it
                )
        except OSError as error:
            os.close(self._requests)
            os.close(self._answers)
            raise ArmFailed(f"{arm.python} can't be started ({error.strerror})", place=self._place) from None
        finally:
            os.close(to_worker)
            os.close(from_worker)

    def ask(self, do: str, timeout: float, **request: Any) -> Any:
        """The answer to one request, within so many seconds. Raises ArmFailed."""
        body = json.dumps({"do": do, **request}, allow_nan=False).encode()
        left = len(body).to_bytes(8, "big") + body
        with contextlib.suppress(BrokenPipeError):  # what ended it is told of by what it does not answer
            while left:
                left = left[os.write(self._requests, left) :]
        until = time.monotonic() + timeout
        size = int.from_bytes(self._read(8, until, do, timeout), "big")
        answer = json.loads(self._read(size, until, do, timeout))
        self._shorten_log()
        if "error" in answer:
            where = f" (in {answer['where']})" if answer["where"] else ""
            if answer["error"].startswith(arm_worker.COMMAND_ENDED):  # its own words say why
                where = self._last_lines()
            raise ArmFailed(f"{DOING[do]} failed: {inert(shown(answer['error'], 600))}{where}", place=self._place)
        return answer["ok"]

    def hang_up(self) -> None:
        """Let it end by itself."""
        if self._requests >= 0:
            os.close(self._requests)
            self._requests = -1

    def close(self) -> None:
        """End it, and all that it has started. What does not end by itself in two seconds is killed."""
        if self._answers < 0:
            return
        self.hang_up()
        until = time.monotonic() + 2
        with contextlib.suppress(OSError):
            while select.select([self._answers], [], [], max(0.0, until - time.monotonic()))[0]:
                if not os.read(self._answers, 1 << 20):
                    break
        self._kill()
        os.close(self._answers)
        self._answers = -1

    def _kill(self) -> int:
        """End what is left of it, and all that it has started; its status, its own where it had ended by then."""
        if self._process.returncode is None:  # until it is waited for its number is no other's
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
        return self._process.wait()

    def _read(self, size: int, until: float, do: str, timeout: float) -> bytes:
        parts: list[bytes] = []
        while size:
            left = until - time.monotonic()
            if left <= 0 or not select.select([self._answers], [], [], left)[0]:
                self._kill()
                raise ArmFailed(
                    f"{DOING[do]} took more than {timeout:.0f} s, so it was ended{self._last_lines()}",
                    place=self._place,
                )
            part = os.read(self._answers, min(size, 1 << 20))
            if not part:
                raise ArmFailed(f"it ended during {DOING[do]}: {self._status()}{self._last_lines()}", place=self._place)
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def _status(self) -> str:
        code = self._kill()
        return f"killed by {signal_name(-code)}" if code < 0 else f"exit status {code}"

    def _shorten_log(self) -> None:
        """Keep the end of what it printed, where that is too much; it waits meanwhile, and appends."""
        with contextlib.suppress(OSError):
            if self._log.stat().st_size <= MOST_LOG:
                return
            with self._log.open("r+b") as file:
                file.seek(-4000, os.SEEK_END)
                end = file.read()
                file.seek(0)
                file.write(end)
                file.truncate()
            self._begin = 0

    def _last_lines(self) -> str:
        """What it printed last, of this launch."""
        try:
            with self._log.open("rb") as file:
                file.seek(max(self._begin, self._log.stat().st_size - 4000))
                lines = file.read().decode(errors="replace").strip().splitlines()[-LINES:]
        except OSError:
            return ""
        return "".join(["; its last lines:", *(f"\n  {inert(shown(line, 200))}" for line in lines)]) if lines else ""


DOING = {
    "open": "loading",
    "warm": "its first calls",
    "pin": "choosing a core",
    "turn": "a turn",
    "value": "a call",
    "numbers": "handing over its numbers",
    "code": "a look at its code",
    "states": "a look at its files",
    "used": "a look at its CPU time",
}
"""What a request asks for, in words."""


def environment_of(arm: Arm, threads: int, layout: Mapping[str, str]) -> dict[str, str]:
    """The environment variables of an arm's process. layout: what is drawn anew for each launch."""
    variables = {**os.environ, **QUIET_WAITS, **dict.fromkeys(THREADS, str(threads)), **layout, **arm.choice.env}
    if arm.ahead or arm.paths or arm.after:
        before = variables.get("PYTHONPATH")
        folders = [*arm.ahead, *arm.paths, *([before] if before else []), *arm.after]
        variables["PYTHONPATH"] = os.pathsep.join(folders)
    programs = str(Path(arm.python).parent)
    variables["PATH"] = os.pathsep.join([programs, variables.get("PATH", os.defpath)])
    variables.pop("PYTHONHOME", None)
    return variables
