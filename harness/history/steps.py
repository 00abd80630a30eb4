"""Where the level of a series changed for good. It shows where to look, and gates nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, expm1, inf, log

from harness.history.lines import Break
from harness.history.point import Point
from harness.statistics.change_points import ChangePoint, change_points
from harness.statistics.intervals import Interval


@dataclass(frozen=True)
class Step:
    """A step from one level to another."""

    key: str
    """Of the first point of the new level, at its likeliest."""
    earliest: str
    latest: str
    """Of the points between which it lies."""
    before: float
    after: float
    """The two levels, in the unit of the series."""
    before_ends: tuple[float, float]
    after_ends: tuple[float, float]
    """95 % intervals of the levels, given the steps."""
    change: Interval
    """As a share of the level before: 0.06 is 6 % up."""


def steps_of(points: Sequence[Point], breaks: Sequence[Break], *, ratios: bool) -> tuple[Step, ...]:
    """The steps of a series, none across a break. points: all, in order; those that don't count are left out. ratios:
    whether the values scatter by factors."""
    counted = [[point for point in segment if point.counts] for segment in segments(points, breaks)]
    return tuple(step for segment in counted for step in _steps(segment, ratios))


def segments(points: Sequence[Point], breaks: Sequence[Break]) -> list[list[Point]]:
    """The points between breaks."""
    ends = {one.key for one in breaks}
    found: list[list[Point]] = [[]]
    for place, point in enumerate(points):
        if point.key in ends and (place == 0 or points[place - 1].key != point.key):
            found.append([])
        found[-1].append(point)
    return [segment for segment in found if segment]


def _steps(points: Sequence[Point], ratios: bool) -> list[Step]:
    """Of one segment. Ratios are positive and scatter by factors, so their logarithms are looked at."""
    values = [point.value for point in points]
    logs = ratios and all(value is not None and value > 0 for value in values)
    given = [log(value) if logs and value else value for value in values]
    level = exp if logs else float
    return [
        Step(
            key=points[found.index].key,
            earliest=points[found.earliest].key,
            latest=points[found.latest].key,
            before=level(found.before.value),
            after=level(found.after.value),
            before_ends=(level(found.before.low or 0.0), level(found.before.high or 0.0)),
            after_ends=(level(found.after.low or 0.0), level(found.after.high or 0.0)),
            change=_share(found, logs),
        )
        for found in change_points(given)
    ]


def _share(found: ChangePoint, logs: bool) -> Interval:
    value, low, high, n = found.change
    if logs:
        return Interval(expm1(value), expm1(low or 0.0), expm1(high or 0.0), n)
    level = abs(found.before.value)
    if not level:
        return Interval(inf if value > 0 else -inf, None, None, n)
    return Interval(value / level, (low or 0.0) / level, (high or 0.0) / level, n)
