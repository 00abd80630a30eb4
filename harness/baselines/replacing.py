"""A finished folder in the place of another, so that a reader sees the old one or the new one, and a kill leaves one of
them."""

from __future__ import annotations

import ctypes
import os
import shutil
from pathlib import Path

from harness.results.baseline import set_aside

_HERE = -100
"""AT_FDCWD: paths are relative to the working folder (fcntl.h of Linux)."""
_EXCHANGE = 2
"""RENAME_EXCHANGE (linux/fs.h): both names are there before and after."""


def replace_folder(building: Path, folder: Path) -> None:
    """Put `building` in the place of `folder`, and remove what was there. Where the system can't exchange two folders
    the old one is set aside for a moment, where it is still found (`harness.results.baseline`). Raises OSError."""
    aside = set_aside(folder)
    if not folder.exists():
        building.rename(folder)
    elif _exchanged(building, folder):
        aside = building
    else:
        folder.rename(aside)
        building.rename(folder)
    shutil.rmtree(aside, ignore_errors=True)


def _exchanged(a: Path, b: Path) -> bool:
    try:
        call = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError, TypeError):  # another system, or an old libc
        return False
    return bool(call(_HERE, os.fsencode(a), _HERE, os.fsencode(b), _EXCHANGE) == 0)
