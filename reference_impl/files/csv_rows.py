"""Rows of CSV and TSV: every cell is the text that stands there.

`007`, `1.50`, `NA`, `None` and `True` are texts, an empty cell is the empty text. A row with more or fewer cells than
the header, and a header that names a column twice, are errors with their line. TSV is CSV with tabs: quotes group
there too (`quoting: 3` takes them as they are). Settings have the names that pandas and `datasets` give them.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reference_impl.files.bounds import MOST_COLUMNS
from reference_impl.files.error import TextError
from reference_impl.files.lines import text_lines

OPTIONS = frozenset(
    {"sep", "delimiter", "names", "column_names", "header", "quotechar", "quoting", "doublequote", "escapechar"}
    | {"skipinitialspace", "skiprows", "nrows", "usecols", "encoding", "encoding_errors", "skip_blank_lines"}
)
"""What a reader may be told."""
CHANGE_NOTHING = frozenset({"chunksize", "engine", "memory_map", "low_memory", "verbose", "float_precision"})
"""Settings of the same libraries that say how a file is read, not what stands in it."""
_AS_READ: dict[str, Any] = {"keep_default_na": False, "na_filter": False, "on_bad_lines": "error", "dtype": "str"}
"""Settings that ask for what is done anyway, with the one value that does."""
_MOST_SKIPPED = 1_000_000
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\n|\r)|[^\r\n]+")


@dataclass(frozen=True)
class _Layout:
    """How the file is written."""

    dialect: dict[str, Any]
    names: list[str] | None
    """Column names where the file has no header, or another one."""
    header: int | None
    """Which row (of those that aren't skipped) is the header."""
    skipped: frozenset[int]
    """Lines that are passed over, from 0."""
    most: int | None
    wanted: list[str] | None


def csv_rows(path: Path, options: Mapping[str, Any], delimiter: str = ",") -> Iterator[tuple[int, dict[str, str]]]:
    """(line, row) of every row; of a row that goes over several lines the last. Raises TextError with the line."""
    layout = _layout(path, options, delimiter)
    csv.field_size_limit(1 << 30)  # texts are longer than the default of 128 KiB
    lines = _Lines(_ended(text_lines(path, options.get("encoding"), options.get("encoding_errors"))), layout.skipped)
    columns = layout.names if layout.header is None else None
    counted = 0
    try:
        for number, cells in enumerate(filter(None, csv.reader(lines, **layout.dialect))):  # a blank line is no row
            place = f"{path}:{lines.number}"
            if layout.header is not None and number <= layout.header:
                if number == layout.header:
                    columns = _columns(place, layout.names or cells)
                    _same_count(place, cells, columns, "the header")
                continue
            columns = columns or [str(column) for column in range(len(cells))]
            if layout.most is not None and counted >= layout.most:
                return
            _same_count(place, cells, columns, "this row")
            counted += 1
            row = dict(zip(columns, cells, strict=True))
            yield lines.number, row if layout.wanted is None else _only(path, row, layout.wanted)
    except csv.Error as error:
        raise TextError(
            f"{path}:{lines.number}",
            f"not CSV ({error}); check the quotes of this row, or set `quoting: 3` where quotes group nothing",
        ) from error
    if columns is None:
        raise TextError(path, "the file is empty; a CSV file begins with a line of column names")


class _Lines:
    """Lines for `csv.reader`; `number` is that of the last one that was read, skipped ones counted too."""

    def __init__(self, lines: Iterator[str], skipped: frozenset[int]) -> None:
        self._lines, self._skipped, self.number = lines, skipped, 0

    def __iter__(self) -> Iterator[str]:
        for line in self._lines:
            self.number += 1
            if self.number - 1 not in self._skipped:
                yield line


def _ended(lines: Iterator[tuple[int, str]]) -> Iterator[str]:
    """The same lines; a carriage return alone ends one too."""
    for _, line in lines:
        yield from _LINE.findall(line) if "\r" in line else (line,)


def _layout(path: Path, options: Mapping[str, Any], delimiter: str) -> _Layout:
    given = {name: value for name, value in options.items() if value is not None and name not in CHANGE_NOTHING}
    for name, as_read in _AS_READ.items():
        if name in given and given.pop(name) != as_read:
            raise TextError(path, f"`{name}` is not understood: cells are read as the texts that they are")
    if unknown := sorted(set(given) - OPTIONS):
        raise TextError(path, f"`{unknown[0]}` is not understood for CSV (there are: {', '.join(sorted(OPTIONS))})")
    names = given.get("column_names", given.get("names"))
    header = options.get("header", "infer" if names is None else None)
    skipped = given.get("skiprows", ())
    quoting = given.get("quoting", csv.QUOTE_MINIMAL)
    separator = given.get("delimiter", given.get("sep", delimiter))
    separator = {"\\t": "\t", r"\s+": None}.get(separator, separator) if isinstance(separator, str) else separator
    whole = {"header": header if header not in ("infer", None) else 0, "nrows": given.get("nrows", 0)}
    whole["quoting"] = quoting
    for name, value in whole.items():
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise TextError(path, f"`{name}: {value}` is not understood for CSV; give one number of 0 or more")
    if not isinstance(separator, str) or len(separator) != 1:
        raise TextError(path, f"a separator is one character, not {given.get('delimiter', given.get('sep'))!r}")
    if given.get("skip_blank_lines", True) is not True:
        raise TextError(path, "blank lines are no rows of CSV; leave out `skip_blank_lines`")
    _check_lists(path, given)
    if isinstance(skipped, int):
        skipped = range(skipped)
    dialect = {
        "delimiter": separator,
        "quotechar": given.get("quotechar", '"'),
        "quoting": csv.QUOTE_NONE if quoting == csv.QUOTE_NONE else csv.QUOTE_MINIMAL,
        "doublequote": given.get("doublequote", True),
        "escapechar": given.get("escapechar"),
        "skipinitialspace": given.get("skipinitialspace", False),
        "strict": True,
    }
    try:
        csv.reader((), **dialect)
    except (TypeError, ValueError, csv.Error) as error:
        raise TextError(path, f"no way to write CSV: {error}") from None
    return _Layout(
        dialect=dialect,
        names=None if names is None else _columns(str(path), [str(name) for name in names]),
        header=None if header is None else whole["header"],
        skipped=frozenset(skipped),
        most=given.get("nrows"),
        wanted=None if given.get("usecols") is None else [str(name) for name in given["usecols"]],
    )


def _check_lists(path: Path, given: Mapping[str, Any]) -> None:
    """Raises TextError where settings that are lists of names, or of line numbers, are none."""
    for name in ("names", "column_names", "usecols"):
        if not isinstance(given.get(name, []), list | tuple):
            raise TextError(path, f"`{name}` is a list of names of columns")
    skipped = given.get("skiprows", 0)
    listed = skipped if isinstance(skipped, list | tuple) else [skipped]
    if any(not isinstance(one, int) or isinstance(one, bool) or not 0 <= one <= _MOST_SKIPPED for one in listed):
        raise TextError(
            path, f"`skiprows` is a number of lines, or a list of numbers of lines, up to {_MOST_SKIPPED:,}"
        )


def _columns(place: str, names: list[str]) -> list[str]:
    """The header's names. A column without one is called as pandas calls it. Raises TextError for a name twice."""
    if len(names) > MOST_COLUMNS:
        raise TextError(place, f"the header names {len(names):,} columns, and {MOST_COLUMNS:,} is the most")
    columns = [name or f"Unnamed: {number}" for number, name in enumerate(names)]
    seen: set[str] = set()
    for name in columns:
        if name in seen:
            raise TextError(place, f"the header names the column '{name[:80]}' twice; rename one of them")
        seen.add(name)
    return columns


def _same_count(place: str, cells: list[str], columns: list[str], what: str) -> None:
    if len(cells) != len(columns):
        raise TextError(
            place,
            f"{what} has {len(cells)} cell{'' if len(cells) == 1 else 's'} and there are {len(columns)} columns "
            f"({', '.join(columns[:50])[:200]}); fix the row, or put quotes around a cell with a separator in it",
        )


def _only(path: Path, row: dict[str, str], wanted: list[str]) -> dict[str, str]:
    for name in wanted:
        if name not in row:
            raise TextError(path, f"there is no column '{name}' (there are: {', '.join(row)})")
    return {name: row[name] for name in wanted}
