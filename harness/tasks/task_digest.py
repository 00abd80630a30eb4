"""The hash of what determines what a task asks, the same wherever its folder lies."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness import strict_json
from harness.common_prefix import common_prefix
from harness.tasks.code.functions import functions_of
from harness.tasks.code.helper_files import source_files
from harness.tasks.config import TaskConfig


def digest(config: TaskConfig, rows: Sequence[str | None]) -> str:
    """Of its configuration, the sources of its functions, and its data. rows: the digests of its splits."""
    folder = config.file.parent
    files = sorted({file for _, named in functions_of(config) for file in source_files(named.file)})
    told = strict_json.dumps(_portable(config.model_dump(mode="json"), folder), sort_keys=True)
    sources = [[_relative(file, folder), hashlib.sha256(file.read_bytes()).hexdigest()] for file in files]
    return hashlib.sha256(strict_json.dumps([told, sources, rows]).encode()).hexdigest()


def _portable(value: Any, folder: Path, key: str = "") -> Any:
    """Configuration without where the folder lies, so that its digest is the same on another machine."""
    if isinstance(value, dict):
        return {name: _portable(inner, folder, str(name)) for name, inner in value.items()}
    if isinstance(value, list):
        return [_portable(inner, folder) for inner in value]
    return _relative(Path(value), folder) if key == "file" and isinstance(value, str) else value


def _relative(file: Path, folder: Path) -> str:
    return Path(*_steps(file, folder)).as_posix()


def _steps(file: Path, folder: Path) -> list[str]:
    shared = common_prefix(file.parts, folder.parts)
    return [".."] * (len(folder.parts) - shared) + list(file.parts[shared:])
