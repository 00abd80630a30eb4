"""The list of files beside an asset in the cache, by which it is known to be whole.

Written last, when everything else is in place. Each file's sha256 decides; it is remembered while the file stays the
same one (`harness.file_digest`), so that a look is quick. Where a folder was copied from another machine every file is
read once.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from harness import kept_file, strict_json
from harness.file_digest import file_sha256
from harness.notice import notice

_NAME = "manifest.json"


@dataclass(frozen=True)
class Entry:
    """One file as it was when the asset was made."""

    path: str
    size: int
    sha256: str


def write(folder: Path, asset_digest: str) -> None:
    """Record every file below `folder`, under the digest of the asset that it holds."""
    entries = [
        Entry(path.relative_to(folder).as_posix(), path.stat().st_size, file_sha256(path))
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != _NAME
    ]
    text = strict_json.dumps({"asset": asset_digest, "files": [asdict(entry) for entry in entries]}, indent=1)
    kept_file.write_json(folder / _NAME, text + "\n", _NAME)


def is_whole(folder: Path, asset_digest: str) -> bool:
    """Whether the folder holds that asset with every file as it was; what is damaged is told of."""
    if not folder.is_dir():
        return False
    problems = _differing(folder, asset_digest, at_most=None)
    if problems and (folder / _NAME).exists():
        notice(f"{folder}: damaged in the cache ({'; '.join(problems[:3])}); this asset is not believed")
    return not problems


def damaged(folder: Path, asset_digest: str) -> list[str]:
    """The files that are missing or whose bytes are not those recorded, as `path: what is wrong`. Reads everything."""
    return _differing(folder, asset_digest, at_most=0.0)


def _differing(folder: Path, asset_digest: str, at_most: float | None) -> list[str]:
    entries = _load(folder, asset_digest)
    if entries is None:
        return [f"{_NAME}: missing, unreadable or of another version of the asset"]
    problems = []
    for entry in entries:
        file = folder / entry.path
        if not file.is_file():
            problems.append(f"{entry.path}: missing")
        elif file.stat().st_size != entry.size:
            problems.append(f"{entry.path}: {file.stat().st_size} bytes instead of {entry.size}")
        elif (digest := file_sha256(file, at_most)) != entry.sha256:
            problems.append(f"{entry.path}: sha256 {digest} instead of {entry.sha256}")
    return problems


def forget(folder: Path) -> None:
    """Drop the list: the folder no longer counts as a whole asset."""
    (folder / _NAME).unlink(missing_ok=True)


def _load(folder: Path, asset_digest: str) -> list[Entry] | None:
    try:
        try:
            recorded = json.loads(kept_file.read_json(folder / _NAME, _NAME))
        except kept_file.Unsealed:  # an earlier version wrote it: what it says is compared file by file
            recorded = json.loads((folder / _NAME).read_bytes())
        if recorded["asset"] != asset_digest:
            return None
        return [Entry(entry["path"], entry["size"], entry["sha256"]) for entry in recorded["files"]]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
