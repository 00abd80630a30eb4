"""Messages between two processes: a length of eight bytes, then lines, of which the first says what the others are."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Sequence

Lines = Sequence[bytes]
"""Of one message; none holds a line break (`tagged_json.dumps` writes none)."""
_PART = 1 << 20


class Ended(Exception):
    """The other side closed its end."""


class TooLate(Exception):
    """The other side took longer than it may."""


class TooLong(Exception):
    """The other side says more than it may."""


class Channel:
    """Two descriptors of pipes. With deadlines where the other side isn't trusted; then they don't block."""

    def __init__(self, reading: int, writing: int) -> None:
        self.reading, self.writing = reading, writing

    def close(self) -> None:
        """Close both."""
        os.close(self.reading)
        os.close(self.writing)

    def wait_for_ever(self) -> None:
        """Let reading and writing block: the other side is trusted."""
        os.set_blocking(self.reading, True)
        os.set_blocking(self.writing, True)

    def send(self, lines: Lines, deadline: float | None = None) -> None:
        """Write a message. deadline: of `time.monotonic`. Raises Ended, TooLate."""
        text = b"\n".join(lines)
        left = memoryview(len(text).to_bytes(8, "little") + text)
        while left:
            try:
                left = left[os.write(self.writing, left[:_PART]) :]
            except BlockingIOError:
                _wait(self.writing, select.POLLOUT, deadline)
            except OSError:
                raise Ended from None

    def receive(self, deadline: float | None = None, longest: int | None = None) -> list[bytes]:
        """Read a message of at most `longest` bytes. Raises Ended, TooLate, TooLong."""
        size = int.from_bytes(self._exactly(8, deadline), "little")
        if longest is not None and size > longest:
            raise TooLong
        return bytes(self._exactly(size, deadline)).split(b"\n")

    def _exactly(self, size: int, deadline: float | None) -> bytearray:
        read = bytearray()
        while len(read) < size:
            try:
                part = os.read(self.reading, min(size - len(read), _PART))
            except BlockingIOError:
                _wait(self.reading, select.POLLIN, deadline)
                continue
            except OSError:
                raise Ended from None
            if not part:
                raise Ended
            read += part
        return read


def _wait(descriptor: int, event: int, deadline: float | None) -> None:
    left = None if deadline is None else deadline - time.monotonic()
    if left is not None and left <= 0:
        raise TooLate
    waiting = select.poll()
    waiting.register(descriptor, event)
    waiting.poll(None if left is None else left * 1000)
