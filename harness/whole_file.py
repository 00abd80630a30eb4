"""Writing a file so that a reader sees the old one or the new one, never half of it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def write_whole(path: Path, content: str | bytes) -> None:
    """Replace `path` by `content` (text as UTF-8). Nothing is left behind where it fails."""
    with whole(path) as building:
        building.write_bytes(content.encode() if isinstance(content, str) else content)


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A path beside `path` to write to, which takes its place when the block ends well and is gone when it doesn't."""
    building = path.with_name(f".{path.name}.{os.getpid()}.building")
    try:
        yield building
        building.replace(path)
    finally:
        building.unlink(missing_ok=True)
