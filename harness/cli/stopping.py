"""Ctrl-C in a conversation: it stops an answer, and never the chat by accident.

Where it comes decides what it does, and the places leave no gap: a single handler is there from the first prompt to the
end, and looks at what is under way. Python runs it when the main thread comes back to its own code: a signal that comes
just before `input` begins to wait would be seen with the next key alone, so while it waits a timer wakes it.
"""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType
from typing import TYPE_CHECKING

from harness.errors import INTERRUPTED

if TYPE_CHECKING:
    from harness import Writer


AWAKE = 0.2
"""Seconds after which a wait looks whether a signal came."""


class Stopping:
    """Who is told of a Ctrl-C."""

    def __init__(self) -> None:
        self._writer: Writer | None = None
        self._waiting = False
        self._came = False

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """In the block Ctrl-C comes here; `kill` and a terminal that is closed end the command, wherever it is. Signals
        that are ignored stay so."""
        taken = {"SIGINT": self._interrupt, "SIGTERM": _end, "SIGHUP": _end}
        before = {}
        for name, handler in taken.items():
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) is signal.default_int_handler:
                before[number] = signal.signal(number, handler)
        try:
            yield
        finally:
            for number, earlier in before.items():
                signal.signal(number, earlier)

    @contextlib.contextmanager
    def answering(self, writer: Writer) -> Iterator[None]:
        """In the block the first Ctrl-C ends the answer after a token, a second one raises KeyboardInterrupt. One that
        came while the message was made ready counts as the first."""
        self._writer = writer
        if self._came:
            writer.end()
        try:
            yield
        finally:
            self._writer = None

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """In the block, which waits for a person, Ctrl-C raises KeyboardInterrupt. One that came since an answer ended
        was meant for the answer."""
        self._waiting = True
        self._came = False
        try:
            with _woken():
                yield
        finally:
            self._came = False
            self._waiting = False

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        second, self._came = self._came, True
        if self._waiting or (self._writer is not None and second):
            self._waiting, self._writer = False, None  # once: what is done about it is not interrupted
            raise KeyboardInterrupt
        if self._writer is not None:
            self._writer.end()


@contextlib.contextmanager
def _woken() -> Iterator[None]:
    """In the block a call of the system that waits is interrupted again and again, and goes on."""
    if not hasattr(signal, "setitimer"):
        yield
        return
    earlier = signal.signal(signal.SIGALRM, lambda number, frame: None)
    signal.setitimer(signal.ITIMER_REAL, AWAKE, AWAKE)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, earlier)


def _end(number: int, frame: FrameType | None) -> None:
    raise SystemExit(INTERRUPTED)
