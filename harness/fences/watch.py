"""The parent's side of the fences: what the kernel doesn't limit for a fenced process is looked at again and again.

Disk use and threads: the kernel limits the size of each file, not their sum, and doesn't count the threads of root.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from harness.fences.folder import excess
from harness.fences.limits import Limits

INTERVAL = 0.05
"""Seconds between two looks."""


def excess_of(pid: int, folder: str | None, limits: Limits) -> str | None:
    """What a running process uses beyond its limits, as what it did (`nested folders ...`); None: nothing."""
    if (running := _threads(pid)) > limits.threads:
        return f"started more than {limits.threads} threads"
    if folder is not None and (found := excess(folder, limits)):
        return found
    if running and (hidden := _removed_bytes(pid)) > limits.disk_bytes:
        return f"keeps more than {limits.disk_bytes >> 20} MiB of removed files open ({hidden >> 20} MiB)"
    return None


def _threads(pid: int) -> int:
    try:
        return len(list(Path(f"/proc/{pid}/task").iterdir()))
    except OSError:
        return 0


def _removed_bytes(pid: int) -> int:
    """Bytes of files that have no name any more and live as long as they are open."""
    size = 0
    with suppress(OSError), os.scandir(f"/proc/{pid}/fd") as descriptors:
        for descriptor in descriptors:
            with suppress(OSError):
                found = descriptor.stat()
                if found.st_nlink == 0:
                    size += found.st_blocks * 512
    return size
