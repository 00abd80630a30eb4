"""One process at a time for a folder whose files have to fit together: a new run, a baseline that moves."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

from harness.cache import cache_folder
from harness.errors import UserError


@contextlib.contextmanager
def one_at_a_time(folder: Path) -> Iterator[None]:
    """Hold a folder. The lock is in the cache; in the folder, which has to be there, where that may only be read. The
    system lets go of the lock of a process that died."""
    with contextlib.ExitStack() as stack:
        try:
            name = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:32]
            stack.enter_context(holding(cache_folder("locks") / f"{name}.lock"))
        except (OSError, UserError):
            stack.enter_context(holding(folder / ".lock"))
        yield


@contextlib.contextmanager
def holding(path: Path, on_wait: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Hold the lock of a file, which is made where it isn't there. on_wait: is called once where another process holds
    it, before it is waited for."""
    from filelock import FileLock, Timeout

    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        on_wait()
        lock.acquire()
    try:
        yield
    finally:
        lock.release()
