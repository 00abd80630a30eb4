"""Commands in a terminal of a given size, each in a process of its own."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import struct
import sys
import termios
import time
from pathlib import Path

import harness

CODE = "from harness.cli import main; main()"

UNSET = ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "CI")


def in_terminal(*words: str, columns: int, code: str = CODE, **environment: str) -> tuple[int, str]:
    """(exit code, what the terminal was sent) of a command in a terminal so wide; lines end as in a file. code: Python
    that runs in its place, with the command in `sys.argv`."""
    child, terminal = pty.fork()
    if child == 0:  # pragma: no cover - another process
        try:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
            # as Python knows it: `readline`, if this process has it, puts its COLUMNS past Python into the environment
            env = {name: value for name, value in os.environ.items() if name not in UNSET}
            env |= {"PYTHONPATH": str(Path(harness.__file__).parents[1]), "TERM": "xterm-256color"}
            os.execve(sys.executable, [sys.executable, "-c", code, *words], env | environment)
        finally:
            os._exit(99)
    seen, give_up = b"", time.monotonic() + 120
    with contextlib.suppress(OSError):  # as a terminal ends whose process has ended
        while time.monotonic() < give_up:
            if select.select([terminal], [], [], 1)[0]:
                if not (new := os.read(terminal, 65536)):
                    break
                seen += new
    os.close(terminal)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status), seen.decode(errors="replace").replace("\r\n", "\n")
