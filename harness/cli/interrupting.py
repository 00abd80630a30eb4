"""Other ways to end a command that leave what Ctrl-C does: a run that can be resumed, or the verdict so far."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from types import FrameType

from harness.errors import INTERRUPTED

TWICE = 0.2
"""Seconds within which a second signal is the first one again: the terminal sends it, and whatever started the command
passes it on."""
SHOW_CURSOR = b"\x1b[?25h"


def as_ctrl_c() -> None:
    """From here on `kill`, and a terminal that is closed, end the command as Ctrl-C does. What is ignored stays so:
    `nohup` ignores the second."""
    for name in ("SIGTERM", "SIGHUP"):
        ending = getattr(signal, name, None)
        if ending is not None and signal.getsignal(ending) is signal.SIG_DFL:
            signal.signal(ending, signal.default_int_handler)


def first_cleanly_second_at_once(said: str) -> None:
    """From here on the first Ctrl-C (or `kill`) ends the command as KeyboardInterrupt does, and says so on stderr; the
    second one ends it at once, whatever it is doing. A signal that is ignored stays so.

    said: what the first one says.
    """
    came: list[float] = []

    def interrupt(number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if not came:
            came.append(now)
            _write(2, f"\n{said}\n".encode())
            raise KeyboardInterrupt
        if now - came[0] > TWICE:
            for stream, descriptor in ((sys.stdout, 1), (sys.stderr, 2)):
                if stream.isatty():  # a live display hides it
                    _write(descriptor, SHOW_CURSOR)
            os._exit(INTERRUPTED)

    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        ending = getattr(signal, name, None)
        if ending is not None and signal.getsignal(ending) is signal.default_int_handler:
            signal.signal(ending, interrupt)


def _write(descriptor: int, text: bytes) -> None:
    """Past Python's buffers, which a signal may have interrupted."""
    with contextlib.suppress(OSError):  # the terminal was closed
        os.write(descriptor, text)
