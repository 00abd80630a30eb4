"""What the charts share: colors, and the ends of an interval."""

from __future__ import annotations

import math
from typing import Any

from harness.evidence.selection import Point, points
from harness.number import with_interval
from harness.results.run import Run

COLORS = ("#3f83c8", "#e2803a", "#43a071", "#b9609f", "#c7a12b", "#d1556b", "#35a7b5", "#8a7fd0")
"""Apart in hue and lightness, readable on white and on black."""

Values = list[dict[str, Any]]


def palette(names: list[str]) -> list[str]:
    """A color for each name, in order; they come again after eight."""
    return [COLORS[number % len(COLORS)] for number in range(len(names))]


def drawable(run: Run, metric: str) -> list[Point]:
    """The points of a metric that have a place on an axis: the infinite and the undefined have none."""
    return [point for point in points(run, metric) if math.isfinite(point.record.value or 0.0)]


def ends(name: str, value: float, low: float | None, high: float | None, factor: float = 1.0) -> dict[str, float]:
    """Value and ends; the value itself where an end is missing or infinite, so that a rule of no length is drawn."""
    low, high = (value if end is None or not math.isfinite(end) else end for end in (low, high))
    return {name: value * factor, f"{name}_low": low * factor, f"{name}_high": high * factor}


def ends_of(name: str, point: Point, factor: float = 1.0) -> dict[str, float]:
    """The same for a record."""
    record = point.record
    return ends(name, record.value or 0.0, record.low, record.high, factor)


def told(point: Point) -> str:
    """The record's number for a tooltip."""
    record = point.record
    return with_interval(record.value, record.low, record.high, record.unit)


def conditions(point: Point) -> str:
    """How a speed or a memory was measured: `batch 1, prompt 128`."""
    shown = ("batch", "prompt", "generate", "context")
    return ", ".join(f"{name} {point.cell.settings[name]}" for name in shown if name in point.cell.settings)
