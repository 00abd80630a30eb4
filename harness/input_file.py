"""A small file of the user's (a suite, a task file, a table) as bytes: a file that ends, and no longer than such files
are."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from harness.errors import UserError, shown

_LONGEST_NAME, _LONGEST_PATH = 255, 4000
"""Bytes."""
_KINDS = (
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISSOCK, "a socket"),
)


def bytes_of_file(path: Path, most: int, what: str) -> bytes:
    """The bytes of a file, `most` at most. what: such as `a suite`, for the sentence.

    Raises UserError where it isn't there, can't be read, is too long, or is none that ends (a pipe, a device).
    """
    try:
        found = refuse_endless(path, what)
        if stat.S_ISDIR(found.st_mode):
            raise UserError(f"this is a folder; name {what} in it", place=str(path))
        with path.open("rb") as file:
            content = file.read(min(found.st_size, most) + 1)  # not `most`: Python sets aside all that it is asked for
            if len(content) > found.st_size:  # it grew, or is one that says nothing of its size, as in /proc
                content += file.read(most + 1 - len(content))
    except FileNotFoundError:
        raise UserError("no such file", place=str(path)) from None
    except OSError as error:
        raise UserError(f"can't be read ({error.strerror or error})", place=str(path)) from None
    except ValueError as error:  # a name with a null character
        raise UserError(f"is no name of a file ({error})", place=str(path)) from None
    if len(content) > most:
        raise UserError(f"{what} has {most >> 20} MiB at most, and this file has more", place=str(path))
    return content


def why_no_path(name: str) -> str | None:
    """Why a text can be the name of no file or folder, whatever there is; None where it can."""
    if "\0" in name:
        return "a name of a file has no null character in it"
    try:
        encoded = os.fsencode(name)
    except UnicodeEncodeError:
        return "half a character (a lone surrogate) is in it"
    if len(encoded) > _LONGEST_PATH or any(len(part) > _LONGEST_NAME for part in encoded.split(os.sep.encode())):
        return f"it is too long for a name of a file ({len(name):,} characters)"
    if name.startswith("~"):
        try:
            Path(name).expanduser()
        except RuntimeError:
            return f"there is no home folder {shown(name.partition(os.sep)[0])}"
    return None


def path_beside(folder: Path, name: str, place: str) -> Path:
    """The path that `name`, written at `place`, stands for beside `folder`. Raises UserError where it can't be one."""
    if (why := why_no_path(name)) is not None:
        raise UserError(f"{why}; name a file", place=place)
    try:
        return (folder / name).resolve()
    except (OSError, RuntimeError) as error:  # links in a circle
        raise UserError(f"{name} can't be followed ({error})", place=place) from None


def refuse_endless(path: Path, what: str) -> os.stat_result:
    """What is there. Raises UserError for a pipe or a device, which may never end; OSError where there is
    nothing."""
    found = os.stat(path)  # noqa: PTH116 - follows links, as opening does
    mode = found.st_mode
    kind = None if stat.S_ISREG(mode) else next((name for is_kind, name in _KINDS if is_kind(mode)), None)
    if kind is not None:
        raise UserError(f"this is {kind}, and {what} is a regular file; save what it gives to a file", place=str(path))
    return found
