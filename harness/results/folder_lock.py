"""One process at a time for a folder whose files have to fit together: a new run, a baseline that moves."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from pathlib import Path

from harness.cache import cache_folder
from harness.errors import UserError


@contextlib.contextmanager
def one_at_a_time(folder: Path) -> Iterator[None]:
    """Hold a folder that is there. The lock is in the cache, in the folder where that may only be read."""
    from filelock import FileLock

    try:
        name = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:32]
        lock = FileLock(cache_folder("locks") / f"{name}.lock")
        lock.acquire()
    except (OSError, UserError):
        lock = FileLock(folder / ".lock")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()
