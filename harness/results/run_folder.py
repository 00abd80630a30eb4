"""The files of a run folder, and how they are reached.

A folder may come from anybody: of it only its own files are read and written, and none through a link.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from pydantic import ValidationError

from harness.errors import UserError

MANIFEST = "manifest.json"
CELLS = "cells.jsonl"
RECORDS = "records.parquet"
FINDINGS = "findings.json"
EXPECTATIONS = "expectations.json"
MARKDOWN = "summary.md"
HTML = "report.html"


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


def content(folder: Path, name: str, again: str) -> bytes | None:
    """A file of a run folder; None where there is none. Raises UserError where it can't be read; `again` is how it is
    made again."""
    path = folder / name
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except IsADirectoryError:
        raise folder_here(path, again) from None
    except OSError as error:
        raise UserError(f"can't be read ({error.strerror}); make it readable", place=str(path)) from None


def folder_here(path: Path, again: str) -> UserError:
    """What is told of a folder in the place of a file."""
    return UserError(f"a folder stands where this file belongs; remove the folder, then {again}", place=str(path))


def first_line(error: Exception) -> str:
    """The first line of what a library says of a file; of pydantic the first mistake with its place."""
    lines = str(error).strip().splitlines()
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}" if first["loc"] else str(first["msg"])
    return lines[0] if lines else type(error).__name__
