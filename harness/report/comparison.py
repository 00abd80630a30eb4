"""Two runs side by side in the terminal: a table per measure, a row per cell and metric."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.evidence.value_text import label, text
from harness.number import Shown, scale, shown
from harness.report.table import Column, Row, Table
from harness.report.tables import print_table

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console


def print_comparison(frame: pd.DataFrame, console: Console) -> None:
    """Print what `gate.compare.compare` gives."""
    for table in comparison_tables(frame):
        print_table(table, console)
    if frame.empty:
        console.print("neither run has a cell")


def comparison_tables(frame: pd.DataFrame) -> list[Table]:
    """One table per measure; what can't be compared is told below it, without repeats."""
    return [_table(str(measure), rows) for measure, rows in frame.groupby("measure", sort=False)]


def _table(measure: str, frame: pd.DataFrame) -> Table:
    rows = [{str(name): _scalar(value) for name, value in row.items()} for row in frame.to_dict("records")]
    # model, measure, axes and settings come before the metric
    columns = list(map(str, frame.columns))
    names = [name for name in columns[: columns.index("metric")] if name not in ("model", "measure")]
    differing = [name for name in names if len({repr(row[name]) for row in rows}) > 1]
    shared = [label(name, rows[0][name]) for name in names if name not in differing and rows[0][name] is not None]
    shown_columns = (
        *map(Column, ("model", *differing, "metric")),
        *(Column(name, numeric=True) for name in ("base", "head", "head / base")),
        Column("change"),
    )
    reasons: dict[str, list[str]] = {}
    for row in rows:
        if row["reason"]:
            where = " ".join(text(row[name]) for name in ("model", *differing))
            reasons.setdefault(row["reason"], []).append(where)
    notes = [f"{reason}: {_few(list(dict.fromkeys(where)))}" for reason, where in reasons.items()]
    hows = dict.fromkeys(f"interval: {row['interval']}" for row in rows if row["interval"] not in (None, "exact"))
    return Table(
        measure, shown_columns, tuple(_row(row, differing) for row in rows), ", ".join(shared), (*hows, *notes)
    )


def _row(row: dict[str, Any], differing: list[str]) -> Row:
    at = [text(row[name]) for name in ("model", *differing)]
    readable = scale([row["base"], row["head"]], row["unit"])
    metric = (row["metric"] or "").replace("_", " ") + (f" ({readable.unit})" if readable.unit else "")
    values = [shown(row[side], row[f"{side}_low"], row[f"{side}_high"], readable) for side in ("base", "head")]
    if row["comparable"]:
        change = row["change"]
        ratio = shown(row["ratio"], row["ratio_low"], row["ratio_high"])
    else:
        change, ratio = "not comparable", Shown("")
    state = change if change in ("better", "worse") else "" if row["comparable"] else "skipped"
    return Row((*at, metric, *values, ratio, change), group=repr(at), state=state)


def _scalar(value: Any) -> Any:
    """What pandas made of a setting: NaN is no value, and a whole float was an integer beside a missing one."""
    if not isinstance(value, float):
        return value
    return None if value != value else int(value) if value.is_integer() else value


def _few(items: list[str]) -> str:
    return ", ".join(items[:4]) + (f" and {len(items) - 4} more cells" if len(items) > 4 else "")
