"""Writing a file so that a reader sees the old one or the new one, never half of it."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.errors import UserError, WrongArgument


def write_whole(path: Path, content: str | bytes) -> None:
    """Replace `path` by `content` (text as UTF-8). Nothing is left behind where it fails. Raises UserError where `path`
    is a folder."""
    with whole(path) as building:
        building.write_bytes(content.encode() if isinstance(content, str) else content)


def check_target(path: Path | None, argument: str) -> None:
    """A file that is written at the end: where it can't be, that is said before anything is measured. Raises UserError,
    which names the argument."""
    if path is None:
        return
    if path.is_dir():
        raise WrongArgument(f"{path} is a folder; name a file", place=argument)
    if not path.parent.is_dir():
        raise WrongArgument(f"there is no folder {path.parent}; make it, or name another file", place=argument)
    if not os.access(path.parent, os.W_OK):
        raise WrongArgument(f"the folder {path.parent} can't be written to; name another file", place=argument)


def why_no_folder(path: Path) -> str | None:
    """Why nothing can be written below a folder, which need not be there yet; None where it can. Leaves nothing
    behind."""
    there = path
    while not (there.exists() or there.is_symlink()) and there != there.parent:
        there = there.parent
    if there.exists() and not there.is_dir():
        return f"{there} is a file; name a folder"
    try:
        with tempfile.TemporaryDirectory(prefix=".harness-", dir=there):
            return None
    except OSError as error:
        return f"{path} can't be written to ({error.strerror}); name another folder"


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
