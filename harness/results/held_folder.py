"""A run folder while a run writes to it: no other run may, and that it is gone or that the disk is full is one
sentence, with all that was flushed before it kept."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from harness.errors import UserError, no_room

PATIENCE = 0.5
"""Seconds that a run waits for its folder: who looks whether it is held has it for an instant."""


def is_held(folder: Path) -> bool:
    """Whether a process runs this run: its lock goes with it, however it ends. True where nobody can tell: without a
    lock, which a run takes when it has begun, and where the system has none of this kind."""
    try:
        import fcntl

        lock = os.open(folder / ".lock", os.O_RDONLY)
    except (ImportError, OSError):
        return True
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(lock)
    return False


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold a run folder for this process: two that append to one would mix their lines. Raises UserError where another
    process has it."""
    from filelock import FileLock, Timeout

    try:
        with FileLock(folder / ".lock", timeout=PATIENCE):
            yield
    except Timeout:
        raise UserError("another process is running this run; wait for it", place=str(folder)) from None


@contextlib.contextmanager
def still_there(folder: Path) -> Iterator[None]:
    """One sentence where somebody removes the folder while the run goes on, whatever fails first."""
    try:
        yield
    except (OSError, UserError):
        if folder.is_dir():
            raise
        raise UserError(
            "the run folder was removed while the run went on; run the suite again (cells that ended are known)",
            place=str(folder),
        ) from None


@contextlib.contextmanager
def no_room_is_told(folder: Path | str) -> Iterator[None]:
    """That there is no room for a file becomes one sentence; everything flushed before it is kept."""
    try:
        yield
    except BaseException as error:
        if (why := no_room(error)) is None:
            raise
        place = str(getattr(error, "filename", None) or folder)
        raise UserError(f"{why} and run it again (`--resume` keeps the cells that ended)", place=place) from None
