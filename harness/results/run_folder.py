"""A run folder may come from anybody: of it only its own files are read and written, and none through a link."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from harness.errors import UserError


def refuse_links(folder: Path) -> None:
    """Raise UserError if anything in a run folder is neither a file nor a folder: a link, a pipe, a device."""
    waiting = [str(folder)]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    mode = entry.stat(follow_symlinks=False).st_mode
                    if stat.S_ISDIR(mode):
                        waiting.append(entry.path)
                    elif not stat.S_ISREG(mode):
                        what = "a symbolic link" if stat.S_ISLNK(mode) else "no plain file"
                        raise UserError(
                            f"this is {what}, and a run folder has files alone: remove it, or put a file there",
                            place=entry.path,
                        )
        except (FileNotFoundError, NotADirectoryError):
            continue  # said by who reads it


def inside(folder: Path, name: str) -> Path:
    """The path of a file that a run names. Raises UserError where it lies outside of the folder."""
    path = folder / name
    if ".." in Path(name).parts or Path(name).is_absolute():
        raise UserError(f"the run names the file {name}, which isn't in its folder", place=str(folder))
    return path
