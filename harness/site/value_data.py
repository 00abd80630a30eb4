"""The values of each run, for its own page and for comparing it: files of a few runs each."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from harness.site.index_data import Index
from harness.site.lines import Row
from harness.site.script_file import ScriptFile, script_file

ROWS_OF_A_FILE = 2_000
"""About 80 kB."""


def value_files(rows_of_runs: Sequence[Sequence[Row]], index: Index) -> tuple[list[ScriptFile], list[int]]:
    """The files, and in which of them each run is. rows_of_runs: by the run's number."""
    files: list[ScriptFile] = []
    file_of: list[int] = []
    runs: list[Any] = []
    size = 0
    for number, rows in enumerate(rows_of_runs):
        if runs and size + len(rows) > ROWS_OF_A_FILE:
            files.append(script_file(f"values-{len(files)}", runs))
            runs, size = [], 0
        runs.append([number, _values(rows, index), _without_value(rows, index)])
        file_of.append(len(files))
        size += len(rows)
    if runs:
        files.append(script_file(f"values-{len(files)}", runs))
    return files, file_of


def _values(rows: Iterable[Row], index: Index) -> list[Any]:
    """`series, definition, how, value, low, high, n, launches` of each row with a metric."""
    return [
        _trimmed(
            [
                *(row["series"], index.definition(row), index.how(row)),
                *(exact(row["value"]), rounded(row["low"]), rounded(row["high"]), row["n"], row["launches"]),
            ]
        )
        for row in rows
        if row["metric"] is not None
    ]


def _without_value(rows: Iterable[Row], index: Index) -> list[Any]:
    """`place, metric or null, status, reason` of each row that has no value, or a reason."""
    return [
        [index.place(row), row["metric"], row["status"], row["reason"]]
        for row in rows
        if row["status"] != "ok" or row["reason"]
    ]


def exact(value: float | None) -> float | int | None:
    """A value as the site has it: whole numbers whole, others to 10 significant digits."""
    return _digits(value, 10)


def rounded(value: float | None) -> float | int | None:
    """An end of an interval, to 7 significant digits."""
    return _digits(value, 7)


def _digits(value: float | None, digits: int) -> float | int | None:
    if value is None or not math.isfinite(value):
        return None
    if value == int(value) and abs(value) < 2**53:
        return int(value)
    return float(f"{value:.{digits}g}")


def _trimmed(values: list[Any]) -> list[Any]:
    while values and values[-1] is None:
        values.pop()
    return values
