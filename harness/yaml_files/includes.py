"""`include` of a suite or a task file: which files it means, and that following them ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import UserError
from harness.input_file import path_beside


def included_names(value: Any, place: str) -> list[str]:
    """The names of files that stand under `include`, as they are written. Raises UserError where they are no names."""
    names = value or []
    names = [names] if isinstance(names, str) else names
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise UserError("`include` is a file name or a list of them", place=place)
    return names


@dataclass
class Includes:
    """The files that are included so far, those within included files counted each time: files that include one another
    twice double what is read at each step."""

    most: int
    read: int = 0

    def files(self, names: list[str], chain: tuple[Path, ...], place: Callable[[int], str]) -> Iterator[Path]:
        """The files that `names` mean beside the last file of `chain`, which is the one that names them, after those
        that include it. place: of a name by its number.

        Raises UserError for a missing file, a circle, and for too many files.
        """
        for number, name in enumerate(names):
            path = path_beside(chain[-1].parent, name, place(number))
            if path in chain:
                circle = " -> ".join(file.name for file in (*chain, path))
                raise UserError(f"include goes in a circle: {circle}", place=place(number))
            if not path.is_file():
                raise UserError(f"the included file {name} does not exist (looked for {path})", place=place(number))
            self.read += 1
            if self.read > self.most:
                raise UserError(
                    f"more than {self.most:,} files are included in all; include fewer, each once", place=place(number)
                )
            yield path
