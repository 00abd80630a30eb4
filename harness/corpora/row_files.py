"""The one reader of data files, for texts and for tasks: `reference_impl.files`, with its errors as a user's.

Tasks read rows through this module, since of the packages below them only this one knows the reference.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from harness.corpora.local import explained
from harness.errors import UserError
from harness.file_digest import FileState, file_state
from reference_impl.files import arrow_rows, bounds, compression, folder, json_rows, rows

_MOST_NAMES = bounds.MOST_COLUMNS
OPTIONS = rows.OPTIONS
"""Format (`.csv`) -> what a task may tell its reader."""


def suffix_of(file: Path) -> str:
    """The ending that says the format: `a.jsonl.zst` -> `.jsonl`."""
    return rows.suffix_of(file.name)


def stem_of(file: Path) -> str:
    """The name without format and compression: `a.jsonl.zst` -> `a`."""
    return Path(compression.bare_name(file.name)).stem


def is_data_file(file: Path) -> bool:
    """Whether a file has one of the formats, by its name, and isn't one that stands beside data (a README)."""
    return rows.is_known(file) and not folder.is_beside_data(file)


def known_endings() -> str:
    """For a sentence."""
    return rows.known_endings()


def files_in(place: Path) -> folder.Listing:
    """The data files of one folder, and those that are passed over; nothing where there is no such folder."""
    with explained(place):
        return folder.listing(place, deep=False) if place.is_dir() else folder.Listing([], [])


def refuse_twins(files: Iterable[Path]) -> None:
    """Raises UserError where a file lies there packed and unpacked."""
    files = list(files)
    with explained(files[0] if files else Path()):
        folder.refuse_twins(files)


def rows_of(file: Path, options: Mapping[str, Any], split: str, suffix: str) -> list[dict[str, Any]]:
    """All rows of a file. Raises UserError with the line of what is wrong."""
    with explained(file):
        return list(_few_enough(file, (row for _, row in rows.read_rows(file, options, split, suffix))))


def _few_enough(file: Path, found: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The same rows. Raises UserError where they, each with every column, are too many to be in memory at once."""
    columns: set[str] = set()
    for number, row in enumerate(found, start=1):
        if not row.keys() <= columns:
            columns |= row.keys()
        if number > bounds.MOST_ROWS or len(columns) * number > bounds.MOST_VALUES or len(columns) > _MOST_NAMES:
            raise UserError(
                f"up to row {number:,} it has {len(columns):,} columns, and {bounds.MOST_ROWS:,} rows, "
                f"{_MOST_NAMES:,} columns and {bounds.MOST_VALUES:,} values are the most; split it",
                place=str(file),
            )
        yield row


def whole_parquet(file: Path, table: Any, content: bytes) -> Any:
    """All rows of an open Parquet file as an Arrow table. content: its bytes. Raises UserError where it unpacks to too
    much, and as pyarrow does."""
    with explained(file):
        return arrow_rows.whole_parquet(file, table, memoryview(content))


def class_names(file: Path, suffix: str) -> dict[str, list[str]]:
    """Column -> names of its classes, where the file tells them."""
    if suffix not in (".parquet", ".arrow"):
        return {}
    with explained(file):
        return arrow_rows.class_names(file, suffix)


def bytes_of(file: Path) -> bytes:
    """What is in a file, unpacked. Raises UserError."""
    with explained(file):
        return compression.whole(file)


def holds_splits(file: Path, split: str) -> bool:
    """Whether a JSON file maps splits to lists, this one among them."""
    if suffix_of(file) != ".json":
        return False
    return _holds_splits(file, file_state(file), split)


@lru_cache(maxsize=64)
def _holds_splits(file: Path, state: FileState, split: str) -> bool:
    return json_rows.holds_splits(file, split)
