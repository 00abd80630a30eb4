"""Messages between two processes over two pipes: eight digits of size, then JSON."""

from __future__ import annotations

import json
import os
from typing import Any

from harness.tasks.programs.values import Node, Part

LONGEST_MESSAGE = 64 << 20

Message = tuple[str, list[Node], Part]
"""`ask` or `answer`, a table of values (see `values`), and the part of it that is said."""


class Gone(Exception):
    """The other side ended, or said what is no message: nothing that it says counts any more."""


class Channel:
    """One end. Descriptors are read and written unbuffered."""

    def __init__(self, reading: int, writing: int) -> None:
        self._reading, self._writing = reading, writing

    def send(self, kind: str, nodes: list[Node], root: Part) -> None:
        """Send a message. Raises Gone, or ValueError for one that is too long."""
        data = json.dumps([kind, nodes, root], separators=(",", ":")).encode("ascii")
        if len(data) > LONGEST_MESSAGE:
            raise ValueError(f"values of more than {LONGEST_MESSAGE >> 20} MiB can't be passed")
        left = memoryview(b"%08x" % len(data) + data)
        try:
            while left:
                left = left[os.write(self._writing, left) :]
        except OSError:
            raise Gone("ended before its tests did") from None

    def receive(self) -> Message:
        """Wait for the next message. Raises Gone."""
        try:
            size = int(self._bytes(8), 16)
            if not 0 < size <= LONGEST_MESSAGE:
                raise ValueError
            said: Any = json.loads(self._bytes(size))
            kind, nodes, root = said
            if kind not in ("ask", "answer") or not isinstance(nodes, list):
                raise ValueError
        except (ValueError, TypeError, RecursionError):
            raise Gone("answered what is no answer") from None
        return kind, nodes, root

    def _bytes(self, size: int) -> bytes:
        parts = []
        while size:
            part = os.read(self._reading, min(size, 1 << 20))
            if not part:
                raise Gone("ended before its tests did")
            parts.append(part)
            size -= len(part)
        return b"".join(parts)
