"""Series for other programs: as JSON, and as one table."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from harness.history.point import Point
from harness.history.series import Found, Series


def as_json(found: Found, last: int | None = None) -> dict[str, Any]:
    """All of it as plain data. last: so many points of each series."""
    return {
        "branch": found.order.branch,
        "notes": list(found.notes),
        "series": [_series(one.last(last)) for one in found.series],
    }


def as_csv(found: Found, last: int | None = None) -> str:
    """A row for each value, of all series."""
    import pandas as pd

    tables = [table for one in found.series if not (table := one.last(last).table).empty]
    return str(pd.concat(tables, ignore_index=True).to_csv(index=False)) if tables else ""


def _series(series: Series) -> dict[str, Any]:
    return {
        **{"metric": series.metric, "suite": series.suite, "at": dict(series.at), "kind": series.kind},
        **{"unit": series.unit, "direction": series.direction, "definition": series.definition},
        **{"depends_on": series.depends_on, "machine_class": series.machine_class, "pinned": series.pinned},
        "absolute_times": series.is_absolute_time,
        "points": [_point(point) for point in series.points],
        "apart": [_point(point) for point in series.apart],
        "breaks": [asdict(one) for one in series.breaks],
        "steps": [asdict(one) for one in series.steps],
        "edits": list(series.edits),
    }


def _point(point: Point) -> dict[str, Any]:
    return {
        **{"commit": point.commit, "value": point.value, "low": point.low, "high": point.high},
        "unit": point.unit,
        **{"dirty": point.dirty, "branch": point.branch, "beside": point.beside, "why_apart": point.why_apart},
        "values": [{**asdict(one), "time": None if one.time is None else one.time.isoformat()} for one in point.values],
    }
