"""The folder that foreign code may write in: how much is in it, and how it is removed whatever is in it."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

from harness.fences.limits import Limits

_OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_LONGEST_PATH = 4000
"""The kernel takes no longer ones than 4095 bytes."""


def excess(folder: str, limits: Limits) -> str | None:
    """What of its disk, files or depth a folder goes beyond, or None; a process may be changing it meanwhile."""
    files = size = 0
    waiting: list[tuple[str, int]] = [(folder, 0)]
    while waiting:
        path, depth = waiting.pop()
        if depth > limits.depth or len(os.fsencode(path)) > _LONGEST_PATH:
            return f"nested folders deeper than {limits.depth}"
        with suppress(OSError), os.scandir(path) as entries:
            for entry in entries:
                files += 1
                if files > limits.files:
                    return f"made more than {limits.files} files and folders"
                with suppress(OSError):
                    found = entry.stat(follow_symlinks=False)
                    size += found.st_blocks * 512
                    if stat.S_ISDIR(found.st_mode):
                        waiting.append((entry.path, depth + 1))
                if size > limits.disk_bytes:
                    return f"wrote more than {limits.disk_bytes >> 20} MiB of files"
    return None


def remove(folder: str) -> None:
    """Remove a folder and what is in it: also folders nested thousands deep, read-only ones, and names of odd bytes.

    Goes down folder by folder and up by `..`, so that no path and no stack of descriptors grows. Nobody may be writing
    in it any more. What can't be removed stays, silently.
    """
    with suppress(OSError):
        Path(folder).chmod(stat.S_IRWXU)
        place = os.open(folder, _OPEN)
        try:
            place = _emptied(place)
        finally:
            os.close(place)
    with suppress(OSError):
        Path(folder).rmdir()


def _emptied(place: int) -> int:
    """Remove everything in an open folder. Returns the descriptor that is open at the end, `place` or its successor."""
    way: list[bytes] = []  # the names of the folders that lead here
    kept: set[tuple[int, bytes]] = set()  # at which depth what can't be removed
    while True:
        below = next((name for name in _without_files(place) if (len(way), name) not in kept), None)
        if below is not None:
            with suppress(OSError):
                os.chmod(below, stat.S_IRWXU, dir_fd=place)
            try:
                inner = os.open(below, _OPEN, dir_fd=place)
            except OSError:
                kept.add((len(way), below))
                continue
            way.append(below)
        elif way:
            inner = os.open("..", _OPEN, dir_fd=place)
        else:
            return place
        os.close(place)
        place = inner
        if below is None:
            left = way.pop()
            kept = {one for one in kept if one[0] <= len(way)}
            try:
                os.rmdir(left, dir_fd=place)
            except OSError:
                kept.add((len(way), left))


def _without_files(opened: int) -> list[bytes]:
    """Remove what isn't a folder (a link to one isn't). Returns the names of the folders, in bytes."""
    folders = []
    with os.scandir(opened) as entries:
        for entry in list(entries):
            if entry.is_dir(follow_symlinks=False):
                folders.append(os.fsencode(entry.name))
            else:
                with suppress(OSError):
                    os.unlink(os.fsencode(entry.name), dir_fd=opened)
    return folders
