"""Writing a file so that a reader sees the old one or the new one, never half of it."""

import os
from pathlib import Path


def write_whole(path: Path, content: str | bytes) -> None:
    """Replace `path` by `content` (text as UTF-8). Nothing is left behind where it fails."""
    building = path.with_name(f".{path.name}.{os.getpid()}.building")
    try:
        building.write_bytes(content.encode() if isinstance(content, str) else content)
        building.replace(path)
    finally:
        building.unlink(missing_ok=True)
