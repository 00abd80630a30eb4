"""Which rows of a history are asked for: those of a metric, of the cells that `where` means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harness.errors import UserError, WrongArgument, shown
from harness.evidence.selection import Where, selects_row, why_no_row
from harness.history.folder import History
from harness.history.lines import settings_of
from harness.spelling import nearest

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

WHAT = ("model", "measure", "where", "part")
"""Columns that say which cell, and which part of it."""


def rows_of_metric(history: History, metric: str, suite: str | None, machine: str | None) -> pa.Table:
    """The rows of a metric. Raises UserError where there are none."""
    import pyarrow.compute as pc

    name, _, version = metric.partition("@")
    table = history.table
    if suite is not None:
        if not len(mine := table.filter(pc.field("suite") == suite)):
            known = sorted(set(table["suite"].to_pylist()))
            raise WrongArgument(f"no suite '{shown(suite)}' here{nearest(suite, known)}; {_some(known)}", place="suite")
        table = mine
    if machine is not None:
        if not len(mine := table.filter(pc.starts_with(pc.field("machine_class"), machine))):
            known = sorted(set(table["machine_class"].to_pylist()))
            raise WrongArgument(f"no machine class '{shown(machine)}' here; {_some(known)}", place="machine")
        table = mine
    known = sorted({one for one in table["metric"].to_pylist() if one is not None})
    table = table.filter(pc.field("metric") == name)
    if version:
        table = table.filter(pc.field("metric_version") == int(version)) if version.isdigit() else table.slice(0, 0)
    if not len(table):
        raise UserError(f"no metric '{shown(metric)}' in this history{nearest(metric, known)}; {_some(known)}")
    return table


def chosen_rows(table: pa.Table, where: Where) -> list[dict[str, Any]]:
    """The rows that `where` means. Raises UserError where there are none."""
    import numpy as np
    import pyarrow as pa

    codes = _codes(table, WHAT)
    kinds, first = np.unique(codes, return_index=True)
    at = [coordinates(row) for row in table.select(list(WHAT)).take(first).to_pylist()]
    meant = kinds[np.array([selects_row(where, one) for one in at])]
    if not len(meant):
        raise WrongArgument(why_no_row(where, at), place="where")
    rows: list[dict[str, Any]] = table.filter(pa.array(np.isin(codes, meant))).to_pylist()
    return rows


def failures_beside(history: History, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rows of the same cells that have no numbers: a gap in each of their series, with its reason."""
    import pyarrow.compute as pc

    asked: dict[tuple[str, str], dict[tuple[str, str | None], Mapping[str, Any]]] = {}
    for row in rows:
        if row["kind"] == "value":
            asked.setdefault((row["suite"], row["cell"]), {})[row["metric"], row["part"]] = row
    empty = history.table.filter(pc.field("metric").is_null() & (pc.field("kind") == "value")).to_pylist()
    names = ("metric", "part", "metric_version", "unit", "definition", "depends_on", "direction")
    return [
        row | {name: beside[name] for name in names}
        for row in empty
        for beside in asked.get((row["suite"], row["cell"]), {}).values()
    ]


def cells_of(table: pa.Table) -> list[dict[str, Any]]:
    """The coordinates of each cell and part in a table, once."""
    return [coordinates(row) for row in first_of_each(table.select(list(WHAT)), WHAT)]


def coordinates(row: Mapping[str, Any]) -> dict[str, Any]:
    """Model, measure, axes, settings and part of a row, as `where` names them."""
    own = {"model": row["model"], "measure": row["measure"], "part": row["part"]}
    return {name: value for name, value in own.items() if value is not None} | settings_of(row)


def first_of_each(table: pa.Table, names: Sequence[str]) -> list[dict[str, Any]]:
    """The first row for each combination of values: 20,000 rows are of 500 runs."""
    import numpy as np

    _, places = np.unique(_codes(table, names), return_index=True)
    rows: list[dict[str, Any]] = table.take(places).to_pylist()
    return rows


def _codes(table: pa.Table, names: Sequence[str]) -> NDArray[np.int64]:
    """A number for each row, equal where the texts of these columns are."""
    import numpy as np
    import pyarrow.compute as pc

    combined = np.zeros(len(table), dtype=np.int64)
    for name in names:
        column = pc.fill_null(table[name], "").combine_chunks()
        code = column.dictionary_encode().indices.to_numpy()
        combined = np.unique(combined * (int(code.max(initial=0)) + 1) + code, return_inverse=True)[1]
    return combined


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - 12} more" if len(names) > 12 else ""
    return f"there are {', '.join(names[:12])}{more}" if names else "there are none"
