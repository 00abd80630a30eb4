"""The sha256 of a file, remembered while the file stays the same one: big files are read once.

Size and time of modification are no identity: unpacking an archive, or copying with times kept, gives another file both
of an old one. So the device, the inode and the time of change count too, which no program can set. A file that changed
within a tick of its file system's clock could still be mistaken, so one that was changed a moment ago is hashed and not
remembered; and damage that no file system tells of (a disk that returns other bytes) is found where a model is opened:
there a memory is believed for a day (`AT_OPENING`).
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable
from pathlib import Path

from harness import kept_file, strict_json
from harness.cache import cache_folder

FileState = tuple[int, int, int, int, int]

AT_OPENING = 24 * 3600.0
"""Seconds for which a remembered hash is believed where a model is opened."""
TICK = 1_000_000_000
"""Nanoseconds within which a file system may give two changes one time: a second, as older ones do."""
_hashed: dict[FileState, tuple[str, float]] = {}


def file_state(path: Path | str) -> FileState:
    """(device, inode, size, time of modification, time of change): another file, or a changed one, has another."""
    return state_of(os.stat(path))  # noqa: PTH116 - as quick as can be: called for thousands of files


def state_of(stat: os.stat_result) -> FileState:
    """The state of a file that was looked at."""
    return (stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)


def file_sha256(path: Path, at_most: float | None = None) -> str:
    """sha256 of a file, read again only when its state is another than when it was hashed.

    at_most: seconds that may have gone by since then; None: as many as you like.
    """
    state = file_state(path)
    found, when = _hashed.get(state) or _remembered(state) or ("", 0.0)
    now = time.time()
    if found and (at_most is None or 0 <= now - when <= at_most):
        _hashed[state] = found, when
        return found
    found = kept_file.content_sha256(path)
    if file_state(path) == state and is_settled([state], now):
        _hashed[state] = found, now
        told = strict_json.dumps({"state": state, "sha256_of_file": found, "hashed": now})
        kept_file.keep_json(_memory(state), told)
    return found


def is_settled(states: Iterable[FileState], now: float | None = None) -> bool:
    """Whether no file was changed a moment before `now` (seconds): a change that comes will give it another state."""
    moment = int((time.time() if now is None else now) * 1e9)
    return all(moment - state[4] > TICK for state in states)


def _remembered(state: FileState) -> tuple[str, float] | None:
    kept = kept_file.kept_json(_memory(state))
    if kept is None:
        return None
    told = json.loads(kept)
    return (told["sha256_of_file"], told["hashed"]) if told.get("state") == list(state) else None


def _memory(state: FileState) -> Path:
    return cache_folder("digests") / f"{state[0]:x}-{state[1]:x}.json"
