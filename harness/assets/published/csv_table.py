"""A CSV file whose bytes depend on its rows alone."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path


def write(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a header and rows, UTF-8, lines ending in a line feed. None becomes an empty field."""
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(columns)
        table.writerows(rows)


def digits(number: float | None, significant: int) -> str | None:
    """The number rounded to so many significant digits, without zeros at its end."""
    return None if number is None else f"{number:.{significant}g}"
