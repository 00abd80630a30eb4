"""Rows of a file of any format, told by its name.

| name ends in | rows |
|---|---|
| `.jsonl`, `.ndjson` | one JSON object per line |
| `.json` | a list of objects, columns, or one list for each split |
| `.csv`, `.tsv` | one per line, under a header; every cell is text |
| `.parquet`, `.arrow` | one each, with the types of their columns |
| `.txt` | one per line, its column is `text` |

Each may be packed: `.gz`, `.bz2`, `.xz`, `.zst` at the end of the name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from reference_impl.files import arrow_rows, csv_rows, json_rows, text_rows
from reference_impl.files.compression import COMPRESSIONS, bare_name
from reference_impl.files.error import TextError

FORMATS = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet", ".arrow", ".txt")
"""Endings of names, before that of a compression."""
Located = tuple[int, dict[str, Any]]
"""(line of the file, or number of the row where the format has no lines; the row)."""

_CSV = csv_rows.OPTIONS | csv_rows.CHANGE_NOTHING | {"keep_default_na", "na_filter", "on_bad_lines", "dtype"}
_JSON = json_rows.OPTIONS | {"chunksize", "block_size", "use_threads"}
_ARROW = arrow_rows.OPTIONS | arrow_rows.CHANGE_NOTHING
_TEXT = text_rows.OPTIONS | text_rows.CHANGE_NOTHING
OPTIONS: Mapping[str, frozenset[str]] = {
    ".jsonl": _JSON, ".ndjson": _JSON, ".json": _JSON, ".csv": _CSV, ".tsv": _CSV,
    ".parquet": _ARROW, ".arrow": _ARROW, ".txt": _TEXT,
}  # fmt: skip
"""What a reader of each format may be told."""


def suffix_of(name: str) -> str:
    """The ending that says the format, in small letters, without that of a compression: `A.JSONL.zst` -> `.jsonl`."""
    return Path(bare_name(name)).suffix.lower()


def is_known(path: Path) -> bool:
    """Whether a file has one of the formats, by its name."""
    return suffix_of(path.name) in FORMATS


def known_endings() -> str:
    """For a sentence."""
    return f"{', '.join(FORMATS)}, each also with {', '.join(COMPRESSIONS)}"


def read_rows(
    path: Path, options: Mapping[str, Any] | None = None, split: str | None = None, suffix: str | None = None
) -> Iterator[Located]:
    """The rows of a file, read as they are needed where the format allows it.

    options: those of the format (`OPTIONS`), with the names of `datasets`. split: of a JSON file that has several.
    suffix: the format, where it isn't told by the file's name. Raises TextError with the line of what is wrong, and
    OSError.
    """
    given = dict(options or {})
    match suffix or suffix_of(path.name):
        case ".jsonl" | ".ndjson":
            return json_rows.json_line_rows(path, given)
        case ".json":
            return json_rows.json_rows(path, given, split)
        case ".csv":
            return csv_rows.csv_rows(path, given)
        case ".tsv":
            return csv_rows.csv_rows(path, given, "\t")
        case ".parquet":
            return arrow_rows.parquet_rows(path, given)
        case ".arrow":
            return arrow_rows.arrow_rows(path, given)
        case ".txt":
            return text_rows.text_rows(path, given)
        case _:
            raise TextError(path, f"text of an unknown kind; the name must end in one of {known_endings()}")
