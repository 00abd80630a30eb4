"""Two runs side by side as tables: a table per measure, a row per cell and metric."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.evidence.value_text import label, text
from harness.number import Shown, scale, shown
from harness.report.table import Column, Row, Table


def comparison_tables(
    names: Sequence[str], rows: Sequence[Mapping[str, Any]], *, all_columns: bool = False
) -> list[Table]:
    """Of what `comparison.compare.comparison_rows` gives one table per measure; what can't be compared is told below
    it, without repeats. all_columns: also settings that all rows share."""
    measures = dict.fromkeys(str(row["measure"]) for row in rows)
    of = {measure: [row for row in rows if row["measure"] == measure] for measure in measures}
    return [_table(measure, [*names, "part"], mine, all_columns) for measure, mine in of.items()]


def _table(measure: str, coordinates: Sequence[str], found: Sequence[Mapping[str, Any]], all_columns: bool) -> Table:
    names = [name for name in coordinates if name not in ("model", "measure")]
    rows = [dict.fromkeys(names) | dict(row) for row in found]
    differing = [
        name
        for name in names
        if len({repr(row[name]) for row in rows}) > 1 or (all_columns and rows[0][name] is not None)
    ]
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


def _few(items: list[str]) -> str:
    return ", ".join(items[:4]) + (f" and {len(items) - 4} more cells" if len(items) > 4 else "")
