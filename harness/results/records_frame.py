"""Records as a tidy DataFrame: what `Run.records`, analyses and charts read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from harness.results.record import Record, Scalar

if TYPE_CHECKING:
    import pandas as pd
PROVENANCE = ("run", "suite", "time", "commit")
"""Columns of `Run.records` that say of what run a record is."""


def records_frame(records: list[Record]) -> pd.DataFrame:
    """Records as a tidy DataFrame: identity first, then one column per axis and per setting, then the rest.

    Settings and axes share one name space (a suite may not use a name twice), so `frame.query("batch == 8")` reads
    as the suite does. A setting named like a record's own field keeps a `setting_` prefix.
    """
    import pandas as pd

    rows = [row_of(record) for record in records]
    frame = pd.DataFrame(rows)
    if frame.empty:
        return pd.DataFrame(
            columns=[name for name in Record.model_fields if name not in ("axes", "settings", "resolved")]
        )
    names = column_names(records)
    for name in names:
        known = {type(row[name]) for row in rows if row.get(name) is not None}
        if known == {int} and frame[name].hasnans:
            frame[name] = pd.array([row.get(name) for row in rows], dtype="Int64")  # else 8 would be 8.0 beside a gap
    lead = [*names, "part", "metric", "value", "unit", "low", "high", "status"]
    return frame[lead + [column for column in frame.columns if column not in lead]]


def row_of(record: Record) -> dict[str, Any]:
    """A record as one row: its own fields, its axes and its settings."""
    row = record.model_dump(mode="python", exclude={"axes", "settings", "resolved"})
    row["status"], row["direction"] = str(record.status), str(record.direction)
    extra = {_column(name): value for name, value in settled(record.settings, record.resolved).items()}
    return row | {_column(name): value for name, value in record.axes.items()} | extra


def column_names(records: Iterable[Record]) -> list[str]:
    """Names of the columns that say which cell a record is of: model, axes, measure, settings."""
    records = list(records)
    axes = list(dict.fromkeys(name for record in records for name in record.axes))
    settings = dict.fromkeys(name for record in records for name in (*record.settings, *record.resolved))
    return ["model", *map(_column, axes), "measure", *(_column(name) for name in settings if name not in axes)]


def _column(name: str) -> str:
    return f"setting_{name}" if name in {*Record.model_fields, *PROVENANCE} else name


def settled(settings: Mapping[str, Scalar], resolved: Mapping[str, Scalar]) -> dict[str, Scalar]:
    """Settings with what the model settled in place of those that were left open."""
    return {**settings, **resolved}
