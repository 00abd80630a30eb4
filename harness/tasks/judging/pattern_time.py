"""A limit of time for the regular expressions of task files: one that looks at every way to read an answer takes years.

Python's `re` looks for signals while it searches, so an alarm ends it. Alarms reach the main thread alone, which is
where workers score and runs sum up; in another thread there is no limit.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from harness.errors import UserError

SECONDS = 5.0
"""What the patterns of one step may take for one document."""


@contextmanager
def limited(what: str, place: str | None = None) -> Iterator[None]:
    """End what takes longer. Raises UserError. what: the patterns' name in a task file, such as `regex_pattern`."""
    main = threading.current_thread() is threading.main_thread()
    if not main or not hasattr(signal, "setitimer") or signal.getitimer(signal.ITIMER_REAL)[0]:  # within another limit
        yield
        return

    def ring(number: int, frame: FrameType | None) -> None:
        message = f"the pattern in `{what}` takes longer than {SECONDS:g} s for one answer; write a simpler one"
        raise UserError(message, place=place)

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
