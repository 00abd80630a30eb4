"""The list of files beside an asset in the cache, by which it is known to be whole: quickly, or to the last byte.

Written last, when everything else is in place. The quick look compares sizes and times of modification; where
only the times differ (the folder was copied from another machine) the sha256 decides, once.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from harness import strict_json
from harness.assets.archive import file_digest
from harness.whole_file import write_whole

_NAME = "manifest.json"


@dataclass(frozen=True)
class Entry:
    """One file as it was when the asset was made."""

    path: str
    size: int
    mtime_ns: int
    sha256: str


def write(folder: Path, asset_digest: str) -> None:
    """Record every file below `folder`, under the digest of the asset that it holds."""
    entries = [
        Entry(path.relative_to(folder).as_posix(), path.stat().st_size, path.stat().st_mtime_ns, file_digest(path))
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != _NAME
    ]
    _save(folder, asset_digest, entries)


def is_whole(folder: Path, asset_digest: str) -> bool:
    """Whether the folder holds that asset with every file at its size (and, where times differ, its sha256)."""
    entries = _load(folder, asset_digest)
    if entries is None:
        return False
    touched = False
    for entry in entries:
        try:
            stat = (folder / entry.path).stat()
        except OSError:
            return False
        if stat.st_size != entry.size:
            return False
        touched = touched or stat.st_mtime_ns != entry.mtime_ns
    if touched:
        if damaged(folder, asset_digest):
            return False
        with contextlib.suppress(OSError):  # a cache that may only be read is checked again each time
            write(folder, asset_digest)
    return True


def damaged(folder: Path, asset_digest: str) -> list[str]:
    """The files that are missing or whose bytes are not those recorded, as `path: what is wrong`. Reads everything."""
    entries = _load(folder, asset_digest)
    if entries is None:
        return [f"{_NAME}: missing, unreadable or of another version of the asset"]
    problems = []
    for entry in entries:
        file = folder / entry.path
        if not file.is_file():
            problems.append(f"{entry.path}: missing")
        elif (digest := file_digest(file)) != entry.sha256:
            problems.append(f"{entry.path}: sha256 {digest} instead of {entry.sha256}")
    return problems


def forget(folder: Path) -> None:
    """Drop the list: the folder no longer counts as a whole asset."""
    (folder / _NAME).unlink(missing_ok=True)


def _save(folder: Path, asset_digest: str, entries: list[Entry]) -> None:
    text = strict_json.dumps({"asset": asset_digest, "files": [asdict(entry) for entry in entries]}, indent=1)
    write_whole(folder / _NAME, text + "\n")


def _load(folder: Path, asset_digest: str) -> list[Entry] | None:
    try:
        recorded = json.loads((folder / _NAME).read_text(encoding="utf-8"))
        if recorded["asset"] != asset_digest:
            return None
        return [Entry(**entry) for entry in recorded["files"]]
    except (OSError, ValueError, KeyError, TypeError):
        return None
