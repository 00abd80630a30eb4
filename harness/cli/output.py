"""stdout and stderr of a command, as streams that end nothing.

A reader that went away (`harness run … | head`), a full disk below a log, a terminal that was closed: what is measured
then matters more than what is printed. The command goes on in silence and ends with its own exit code; what is lost in
another way than by a reader that went away is told at the end.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterable
from typing import Any, TextIO, cast


class Output:
    """A stream that writes each text as `written` makes it, and swallows what can't be written any more."""

    def __init__(self, stream: TextIO, written: Callable[[str], str] = str) -> None:
        self._stream = stream
        self._written = written
        self.lost: OSError | None = None
        """Why something was lost; None where nothing was, or where the reader went away."""

    def write(self, text: str) -> int:
        """Write one text; says its whole length, also where it is lost.

        Raises TypeError for bytes, as a stream of texts does: libraries tell the two kinds apart by it.
        """
        if not isinstance(text, str):
            raise TypeError(f"a text is written here, not {type(text).__name__}")
        try:
            self._stream.write(self._written(text))
        except OSError as error:
            self._give_up(error)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write several texts."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Write what is held."""
        try:
            self._stream.flush()
        except OSError as error:
            self._give_up(error)

    def of_drawn(self) -> Output:
        """The same stream for who makes its texts inert itself, and draws with what acts on a terminal."""
        return Output(self._stream)

    def _give_up(self, error: OSError) -> None:
        """Send the rest to the null device: what the stream still holds would fail again with every text."""
        if not isinstance(error, BrokenPipeError):
            self.lost = self.lost or error
        try:
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, self._stream.fileno())
            os.close(null)
            self._stream.flush()
        except OSError:  # a stream without a descriptor, as tests have
            pass

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def wrap(name: str, written: Callable[[str], str] = str) -> Output:
    """Make `sys.stdout` or `sys.stderr` such a stream, unless it is one already."""
    stream = getattr(sys, name)
    if not isinstance(stream, Output):
        with contextlib.suppress(OSError):  # a pipe that a CI runner left non-blocking fails where it is full
            os.set_blocking(stream.fileno(), True)
        stream = Output(stream, written)
        setattr(sys, name, cast(TextIO, stream))
    return stream
