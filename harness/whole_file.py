"""Writing a file so that a reader sees the old one or the new one, never half of it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.errors import UserError


def write_whole(path: Path, content: str | bytes) -> None:
    """Replace `path` by `content` (text as UTF-8). Nothing is left behind where it fails. Raises UserError where `path`
    is a folder."""
    with whole(path) as building:
        building.write_bytes(content.encode() if isinstance(content, str) else content)


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A path beside `path` to write to, which takes its place when the block ends well and is gone when it doesn't.
    Raises UserError where `path` is a folder."""
    building = path.with_name(f".{path.name}.{os.getpid()}.building")
    try:
        yield building
        put_in_place(building, path)
    except OSError as error:
        if error.filename is None or str(error.filename) == str(building):  # the one that the user knows
            error.filename = str(path)
        raise
    finally:
        building.unlink(missing_ok=True)


def put_in_place(building: Path, path: Path) -> None:
    """Rename a finished file to its final name. Raises UserError where a folder has that name."""
    try:
        building.replace(path)
    except IsADirectoryError:
        raise UserError("a folder stands where this file belongs; remove the folder", place=str(path)) from None
