"""A sentence that a person should read although nothing failed, such as that a damaged file of the cache was dropped.

It is told once per process: on stderr of a command, to `logging.getLogger("harness")` where functions are called (which
prints nothing unless logging is set up), or wherever `listen` sends it (a worker's go to its parent).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, TextIO

from harness.errors import inert
from harness.reader import is_at_a_shell

if TYPE_CHECKING:
    import logging

_told: set[str] = set()
_listener: Callable[[str], None] | None = None


def notice(sentence: str) -> None:
    """Tell it, unless this process has told it before."""
    if sentence in _told:
        return
    _told.add(sentence)
    if _listener is not None:
        _listener(sentence)
    elif not is_at_a_shell():
        logger().warning("%s", inert(sentence))
    elif sys.stderr is not None:
        print(f"warning: {inert(sentence)}", file=sys.stderr, flush=True)


def remark(sentence: str) -> None:
    """A sentence for who looks closer: in a run it goes to `worker.log`, elsewhere to the logger `harness`."""
    logger().info("%s", inert(sentence))


@contextmanager
def remarks_to(stream: TextIO) -> Iterator[None]:
    """In the block remarks are written there, a line each."""
    import logging

    found, handler = logger(), logging.StreamHandler(stream)
    before = found.level
    found.addHandler(handler)
    found.setLevel(logging.INFO)
    try:
        yield
    finally:
        found.removeHandler(handler)
        found.setLevel(before)


@cache
def logger() -> logging.Logger:
    """Silent until somebody sets up logging: Python prints warnings of a logger that nothing handles."""
    import logging  # when it is used: 9 ms

    found = logging.getLogger("harness")
    found.addHandler(logging.NullHandler())
    return found


def was_told(sentence: str) -> bool:
    """Whether this process has told it."""
    return sentence in _told


def listen(listener: Callable[[str], None]) -> None:
    """Send what this process tells to `listener` from now on."""
    global _listener
    _listener = listener
