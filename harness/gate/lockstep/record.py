"""What a comparison keeps while it measures: a folder of its own, and lines that are there as soon as they are told."""

from __future__ import annotations

import datetime
import os
from pathlib import Path
from typing import Any

from harness import kept_file, strict_json
from harness.errors import UserError, no_room

LAUNCHES = "launches.jsonl"


class NoRoom(UserError):
    """The record can't be written any more."""


class Record:
    """Appends lines; each is in the system's hands when the call returns, and on the disk at the end of a launch."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / LAUNCHES

    def __call__(self, line: dict[str, Any]) -> None:
        """Append a line. Raises NoRoom where the disk does not take it."""
        sealed = (kept_file.seal(strict_json.dumps(line), LAUNCHES) + "\n").encode()
        try:
            with self._path.open("ab", buffering=0) as file:
                written = file.write(sealed)
                if written != len(sealed):
                    file.write(sealed[written:])  # says why not all of it was taken
                if line["kind"] != "turn":
                    os.fsync(file.fileno())
        except OSError as error:
            why = no_room(error) or f"{error.strerror}; choose another --out"
            raise NoRoom(f"what is measured can't be written: {why}", place=str(self._path)) from None


def new_folder(out: Path) -> Path:
    """A folder of its own below `out`. Raises UserError where none can be made."""
    stamp = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
    try:
        for number in range(1, 1000):
            folder = out / (stamp if number == 1 else f"{stamp}-{number}")
            try:
                folder.mkdir(parents=True)
            except FileExistsError:
                if folder.is_dir():
                    continue
                raise
            return folder
    except OSError as error:
        raise UserError(f"can't be written to ({error.strerror}); choose another --out", place=str(out)) from None
    raise UserError("no free name for a new folder", place=str(out))
