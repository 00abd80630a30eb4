"""The headline numbers of a run as a DataFrame: a row for each thing that was measured, a column for each metric."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, Any

from harness.measures.registry import MEASURES
from harness.results.record import Record, Status
from harness.results.records_frame import PROVENANCE
from harness.results.run import Run

if TYPE_CHECKING:
    import pandas as pd

_ALWAYS = ("model", "measure")
_OWN = {*Record.model_fields, *PROVENANCE} - {"part"}
"""Columns of records that are no axis and no setting."""


def headlines(run: Run) -> pd.DataFrame:
    """Model, measure, the axes, settings and parts in which rows differ, and then the value of every headline metric
    (those of a measure that declares none, as all that it has), in its unit; missing where a row has none."""
    import pandas as pd

    records = run.records
    kept = records[[_is_headline(row) for row in records.to_dict("records")]] if len(records) else records
    if kept.empty:
        return pd.DataFrame(columns=[*_ALWAYS])
    written = kept.map(repr)
    differing = {
        name for _, rows in written.groupby("measure") for name in rows if name not in _OWN and rows[name].nunique() > 1
    }
    identity = [name for name in kept if name in _ALWAYS or name in differing]
    rows = pd.MultiIndex.from_frame(written[identity])
    table = kept.loc[~rows.duplicated(), identity].reset_index(drop=True)
    table = table.map(lambda value: None if pd.isna(value) else value)
    place = {row: number for number, row in enumerate(dict.fromkeys(rows))}
    for metric in dict.fromkeys(kept["metric"]):
        values = [float("nan")] * len(table)
        of_metric = kept["metric"] == metric
        for row, value in zip(rows[of_metric], kept.loc[of_metric, "value"], strict=True):
            values[place[row]] = value
        table[metric] = values
    return table


def _is_headline(record: Mapping[Hashable, Any]) -> bool:
    measure = MEASURES.get(str(record["measure"]))
    declared = [one.name for one in measure.metrics if one.headline] if measure is not None else []
    there = record["metric"] is not None and record["status"] == Status.OK
    return there and (not declared or record["metric"] in declared)
