"""Two runs side by side: every record of either, with the ratio of head to base and its interval.

No verdict: `change` is the sign of the ratio's interval in the direction that the metric calls better, nothing
more. With many rows some signs are wrong by chance. A time has no sign: two runs made one after the other differ in
speed by what the machine was doing, and no interval of theirs knows of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harness.comparison.comparability import why_not_comparable
from harness.comparison.definition import CellPair, cell_pairs
from harness.comparison.metric_kind import is_timed
from harness.errors import UserError
from harness.evidence.ratio import ratio
from harness.evidence.selection import Point, coordinates
from harness.results.record import CellResult, Direction, Record, Status
from harness.results.run import Run

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    "part",
    "metric",
    "unit",
    "direction",
    "base",
    "base_low",
    "base_high",
    "head",
    "head_low",
    "head_high",
    "ratio",
    "ratio_low",
    "ratio_high",
    "interval",
    "change",
    "comparable",
    "reason",
    "damaged",
    "metric_id",
)


def compare(base: Run, head: Run) -> pd.DataFrame:
    """One row per cell and metric that either run has, in the base's order, then what only the head has.

    Columns: model, measure, then every axis and setting, then `COLUMNS`. `ratio` is head / base: paired by document
    where both have samples of the same documents, else from the two independent intervals. `change` is better,
    worse, `same?` (the interval holds 1), `same` (equal exactly), `undecided` (a time), or empty where nothing can be
    said.
    `comparable` is False with a `reason` where the two may not be compared or one of them is missing; `damaged` is
    True where that is because the samples of one can't be read.
    """
    return compared_frame(*comparison_rows(base, head))


def comparison_rows(base: Run, head: Run) -> tuple[list[str], list[dict[str, Any]]]:
    """Names of the coordinates, and the rows: what `compare` makes a DataFrame of, in which whole numbers become floats
    beside missing ones."""
    rows: list[dict[str, Any]] = []
    names: dict[str, None] = {"model": None, "measure": None}
    for pair in cell_pairs(base, head):
        at: dict[str, Any] = dict(coordinates(pair.cell))
        names |= dict.fromkeys(at)
        rows.extend(at | row for row in _rows(base, head, pair))
    return list(names), rows


def compared_frame(names: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Those rows as a DataFrame."""
    import pandas as pd

    return pd.DataFrame(rows, columns=[*names, *COLUMNS])


def _rows(base: Run, head: Run, pair: CellPair) -> Iterator[dict[str, Any]]:
    a, b = pair.base, pair.head
    left, right = _by_metric(a), _by_metric(b)
    for metric in dict.fromkeys([*left, *right]) or [None]:
        mine, theirs = (None, None) if metric is None else (left.get(metric), right.get(metric))
        row: dict[str, Any] = _described(theirs or mine) | _values("base", mine) | _values("head", theirs)
        row |= {"ratio": None, "ratio_low": None, "ratio_high": None, "interval": None, "change": ""}
        reason = _why_missing("base", pair, a, mine) or _why_missing("head", pair, b, theirs)
        damaged = False
        if reason is None and a and b and mine and theirs:
            both = Point(base, a, mine), Point(head, b, theirs)
            try:
                reason = why_not_comparable(*both)
                if reason is None:
                    row |= _ratio(*both)
            except UserError as error:
                reason, damaged = str(error), True
        yield row | {"comparable": reason is None, "reason": reason or "", "damaged": damaged}


def _by_metric(cell: CellResult | None) -> dict[tuple[str, str | None], Record]:
    if cell is None:
        return {}
    return {
        (record.metric, record.part): record for record in cell.records if record.metric and record.value is not None
    }


def _described(record: Record | None) -> dict[str, Any]:
    if record is None:
        return {"part": None, "metric": None, "unit": None, "direction": None, "metric_id": None}
    return {
        "part": record.part,
        "metric": record.metric,
        "unit": record.unit,
        "direction": str(record.direction),
        "metric_id": record.metric_id,
    }


def _values(side: str, record: Record | None) -> dict[str, Any]:
    if record is None:
        return {side: None, f"{side}_low": None, f"{side}_high": None}
    return {side: record.value, f"{side}_low": record.low, f"{side}_high": record.high}


def _why_missing(side: str, pair: CellPair, cell: CellResult | None, record: Record | None) -> str | None:
    if record is not None:
        return None
    if cell is None:
        return pair.why_alone
    if cell.status is not Status.OK:
        return f"{cell.status} in the {side}: {cell.reason or 'no reason given'}"
    return f"the {side} has no such metric"


def _ratio(base: Point, head: Point) -> dict[str, Any]:
    a, b = base.record, head.record
    equal = a.value == b.value and (a.low, a.high) == (b.low, b.high)
    result = ratio(head, base)
    if result is None:
        change = "same" if equal else ""
        return {"change": change, "interval": "none: a ratio needs two positive values"}
    return {
        "ratio": result.value,
        "ratio_low": result.low,
        "ratio_high": result.high,
        "interval": result.method,
        "change": "undecided" if is_timed(b) else _change(result.low, result.high, b.direction),
    }


def _change(low: float | None, high: float | None, direction: Direction) -> str:
    """The sign of the interval in the metric's direction."""
    if low == high == 1:
        return "same"
    if low is None or high is None or direction is Direction.NONE:
        return ""
    if low <= 1 <= high:
        return "same?"
    return "better" if (low > 1) == (direction is Direction.HIGHER) else "worse"
