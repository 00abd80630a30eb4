"""A sentence that a person should read although nothing failed, such as that a damaged file of the cache was dropped.

It is told once per process: on stderr, or wherever `listen` sends it (a worker's go to its parent).
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from harness.errors import inert

_told: set[str] = set()
_listener: Callable[[str], None] | None = None


def notice(sentence: str) -> None:
    """Tell it, unless this process has told it before."""
    if sentence in _told:
        return
    _told.add(sentence)
    if _listener is not None:
        _listener(sentence)
    elif sys.stderr is not None:
        print(f"warning: {inert(sentence)}", file=sys.stderr, flush=True)


def was_told(sentence: str) -> bool:
    """Whether this process has told it."""
    return sentence in _told


def listen(listener: Callable[[str], None]) -> None:
    """Send what this process tells to `listener` from now on."""
    global _listener
    _listener = listener
