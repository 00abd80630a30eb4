"""Whether the disk has room for what has to be fetched and trained: checkpoints, assets, and what is packed out."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from harness import assets
from harness.cache import cache_root
from harness.execution.estimate import size_of
from harness.execution.plan import PlannedCell
from harness.number import with_interval
from harness.results.fingerprint import Fingerprint

BESIDES = 64 << 20
"""Bytes for records, samples and logs."""
STATE = 16.0
"""Bytes per parameter while a training goes on: the state that it resumes from, and the checkpoint."""


def disk(machine: Fingerprint, items: Sequence[PlannedCell]) -> str | None:
    """One sentence where the cache folder's disk has less room than fetching and training needs."""
    wanted = needed(items)
    free = free_bytes(cache_root())
    if not wanted or free is None or wanted + BESIDES <= free:
        return None
    return (
        f"fetching and training needs about {_bytes(wanted)} of disk, and {_bytes(free)} are free at {cache_root()}: "
        "free some, or set HARNESS_CACHE to a folder on a larger disk"
    )


def needed(items: Sequence[PlannedCell]) -> float:
    """About how many bytes are written to the cache folder before these cells run."""
    total = 0.0
    for item in {item.source.digest: item for item in items if not item.resolved.ready}.values():
        asset, size = item.resolved.asset, size_of(item)
        if asset is not None:
            declared = assets.asset(asset)
            total += declared.download_size + declared.installed_size
        elif item.resolved.is_made_here and size is not None:
            total += STATE * size.parameters
    return total


def free_bytes(folder: Path) -> int | None:
    """Bytes that are free where a folder is or would be made; None where that can't be told."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None


def _bytes(value: float) -> str:
    return with_interval(float(value), None, None, "bytes")
