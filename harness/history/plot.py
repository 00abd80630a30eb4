"""A series as a small plot of characters."""

from __future__ import annotations

import math
from collections.abc import Sequence

from harness.history.lines import Break
from harness.history.point import Point
from harness.history.steps import Step
from harness.number import scale, shown

COUNTS, ASIDE, BREAK, STEP = "●", "○", "┊", "^"
KEY = (
    f"{COUNTS} a commit   {ASIDE} with changes, or merged from a branch   {BREAK} another definition from here on   "
    f"{STEP} a step"
)


def plot(
    points: Sequence[Point],
    breaks: Sequence[Break],
    steps: Sequence[Step],
    unit: str | None,
    width: int,
    height: int = 8,
) -> list[str]:
    """Lines of text, one column for each point (several where there are more points than columns); none where no point
    has a finite value."""
    values = [one.value for one in points]
    finite = [value for value in values if value is not None and math.isfinite(value)]
    if not finite:
        return []
    low, high = min(finite), max(finite)
    rows = height if high > low else 1
    labels = _labels(low, high, rows, unit)
    margin = max(map(len, labels))
    columns = max(min(len(points), width - margin - 2), 1)
    grid = [[" "] * columns for _ in range(rows)]
    places = [min(number * columns // len(points), columns - 1) for number in range(len(points))]
    begins = {one.key for one in breaks}
    for place, point in zip(places, points, strict=True):
        if point.key in begins:
            for row in grid:
                row[place] = BREAK
    for place, point, value in zip(places, points, values, strict=True):
        if value is None or not math.isfinite(value):
            continue
        at = 0 if rows == 1 else round((high - value) / (high - low) * (rows - 1))
        if point.counts or grid[at][place] != COUNTS:
            grid[at][place] = COUNTS if point.counts else ASIDE
    lines = [f"{label:>{margin}} {''.join(row)}".rstrip() for label, row in zip(labels, grid, strict=True)]
    at_steps = {one.key for one in steps}
    below = "".join(
        STEP if any(points[number].key in at_steps for number, one in enumerate(places) if one == place) else " "
        for place in range(columns)
    )
    return [*lines, f"{'':>{margin}} {below}".rstrip()] if at_steps else lines


def _labels(low: float, high: float, rows: int, unit: str | None) -> list[str]:
    """Of the first row, the last one, and the one between."""
    chosen = scale([low, high], unit)
    named = {0: high, rows - 1: low} if rows > 1 else {0: high}
    ends = f" {chosen.unit}" if chosen.unit else ""
    return [f"{shown(named[row], None, None, chosen).value}{ends}" if row in named else "" for row in range(rows)]
