"""Files of a model folder, opened as what they should be: plain files of a size that such files have.

A folder may be anybody's. A pipe never ends, a device has no size, and a text of gigabytes takes many times its size
to parse: so what a file is and how large it is are looked at before it is opened. Imports no torch: plans look here.
"""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

from harness.errors import UserError

MOST_SETTINGS = 32 << 20
"""Bytes of a file of settings (config.json, an index). The largest known, of quantized mixtures, have some 10 MB."""
MOST_TEXT = 256 << 20
"""Bytes of any other text of a folder (tokenizer.json, vocabularies). The largest known have some 40 MB."""
MOST_FILES = 20_000
"""Files of one folder."""
TEXTS = frozenset({".json", ".jinja", ".txt", ".model", ".tiktoken", ".py"})
TEMPLATES = "additional_chat_templates"
HOLES = 1 << 30
"""A file that takes less than a sixteenth of its size on the disk, and is larger than this, was never written."""


def read_plain(path: Path, most: int) -> bytes:
    """The content of a plain file of at most so many bytes. Raises UserError for another, and OSError."""
    refuse_no_file(path, most)
    return path.read_bytes()


def refuse_no_file(path: Path, most: int | None = None) -> None:
    """UserError where there is something else than a plain file, or one of more bytes than `most`, or one whose
    content was never written. Raises OSError where there is nothing."""
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        raise UserError(f"this is {_kind(found.st_mode)}, not a file: copy the model again", place=str(path))
    if most is not None and found.st_size > most:
        raise UserError(
            f"this file has {found.st_size:,} bytes, and such a file at most {most:,}: copy the model again",
            place=str(path),
        )
    if path.is_symlink() and str(path.resolve()).startswith(("/proc/", "/sys/")):
        raise UserError(
            "this is a link to something of the system's, not a file: copy the model again", place=str(path)
        )
    if found.st_size > HOLES and found.st_blocks * 512 < found.st_size // 16 and _has_holes(path, found.st_size):
        raise UserError(
            f"of its {found.st_size:,} bytes only {found.st_blocks * 512:,} were ever written: copy the model again",
            place=str(path),
        )


def refuse_odd_entries(folder: Path) -> None:
    """UserError where a model folder holds a pipe, a device or a socket, directly or by a link, too many files, or a
    text that is larger than such texts are: libraries open by name what they find there."""
    for place in (folder, folder / TEMPLATES):
        if not place.is_dir():
            continue
        for number, entry in enumerate(os.scandir(place)):
            if number >= MOST_FILES:
                raise UserError(f"this folder holds more than {MOST_FILES:,} files: is it a model's?", place=str(place))
            path = Path(entry.path)
            try:
                if stat.S_ISDIR(path.stat().st_mode):
                    continue
                refuse_no_file(path, MOST_TEXT if path.suffix.lower() in TEXTS else None)
            except OSError:  # a link to nothing: who needs the file says that it is missing
                continue


def settings_or_nothing(path: Path) -> dict[str, Any]:
    """A file of settings; nothing where there is none that can be read (what opens the model says so)."""
    try:
        found = json.loads(read_plain(path, MOST_SETTINGS))
    except (OSError, ValueError, RecursionError, UserError):
        return {}
    return found if isinstance(found, dict) else {}


def settings(path: Path) -> dict[str, Any]:
    """A file of settings: an object of JSON. Raises UserError with `file:line`, and OSError."""
    try:
        found = json.loads(read_plain(path, MOST_SETTINGS))
    except UnicodeDecodeError:
        raise UserError("this is not a text file: copy the model again", place=str(path)) from None
    except json.JSONDecodeError as error:
        raise UserError(
            f"this is not JSON ({error.msg}): fix it, or copy the model again", place=f"{path}:{error.lineno}"
        ) from None
    except RecursionError:
        raise UserError("this is nested too deeply: copy the model again", place=str(path)) from None
    except ValueError:
        raise UserError("a number in it has thousands of digits: copy the model again", place=str(path)) from None
    if not isinstance(found, dict):
        raise UserError("this holds no settings (an object of JSON): copy the model again", place=str(path))
    return found


def _has_holes(path: Path, size: int) -> bool:
    """Whether a part of a file was never written; no where the file system can't tell."""
    if not hasattr(os, "SEEK_HOLE"):
        return False
    with path.open("rb") as file:
        return os.lseek(file.fileno(), 0, os.SEEK_HOLE) < size


def _kind(mode: int) -> str:
    for test, name in ((stat.S_ISDIR, "a folder"), (stat.S_ISFIFO, "a pipe"), (stat.S_ISSOCK, "a socket")):
        if test(mode):
            return name
    return "a device"
