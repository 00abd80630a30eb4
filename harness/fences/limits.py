"""How much a fenced process may use: what the kernel counts (rlimits), and what its parent polls."""

from __future__ import annotations

import sys
from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """What one fenced process may use."""

    cpu_seconds: int = 5
    """Processor time of all its threads."""
    memory_bytes: int | None = 1 << 30
    """Address space; None: no limit (macOS knows none)."""
    file_bytes: int = 16 << 20
    """Size of each file."""
    open_files: int = 64
    disk_bytes: int = 64 << 20
    """Polled: all files in its folder together."""
    files: int = 1000
    """Polled: how many files and folders."""
    depth: int = 32
    """Polled: how deep folders may be nested."""
    threads: int = 64
    """Polled: the kernel doesn't count root's."""


def set_limits(limits: Limits) -> None:
    """Set what the kernel counts, for good: a hard limit can't be raised again without a privilege."""
    import resource

    def limit(which: int, soft: int, hard: int) -> None:
        ceiling = resource.getrlimit(which)[1]
        if ceiling != resource.RLIM_INFINITY:
            soft, hard = min(soft, ceiling), min(hard, ceiling)
        resource.setrlimit(which, (soft, hard))

    limit(resource.RLIMIT_CPU, limits.cpu_seconds, limits.cpu_seconds + 1)
    limit(resource.RLIMIT_FSIZE, limits.file_bytes, limits.file_bytes)
    limit(resource.RLIMIT_NOFILE, limits.open_files, limits.open_files)
    limit(resource.RLIMIT_CORE, 0, 0)
    if sys.platform == "linux":
        limit(resource.RLIMIT_MEMLOCK, 0, 0)
        limit(resource.RLIMIT_MSGQUEUE, 0, 0)
        if limits.memory_bytes is not None:
            limit(resource.RLIMIT_AS, limits.memory_bytes, limits.memory_bytes)
