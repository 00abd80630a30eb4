"""One process at a time for a training that keeps its state in a file: two would write over one another."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout


class UnderWay(ValueError):
    """Another process does this training now."""


@contextmanager
def alone(state: Path | None) -> Iterator[None]:
    """Hold a training by the file that its state is kept in, whether that is there or not; None holds nothing.

    The system lets go of the lock of a process that died, so nothing stale is ever in the way. The empty lock file
    beside it is gone at the end. Raises UnderWay where another process holds it.
    """
    if state is None:
        yield
        return
    state.parent.mkdir(parents=True, exist_ok=True)
    path = state.with_name(f".{state.name}.lock")
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise UnderWay(
            f"another process does this training now and keeps its state in {state}: wait for it, or give another "
            "place to keep what comes of it."
        ) from None
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        lock.release()
