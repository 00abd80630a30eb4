"""Where the level of a series changed for good. It shows where to look, and gates nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.history.lines import Break
from harness.history.point import Point


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


def steps_of(points: Sequence[Point], breaks: Sequence[Break], *, ratios: bool) -> tuple[Step, ...]:
    """The steps of a series, none across a break. points: all, in order; those that don't count are left out. ratios:
    whether the values scatter by factors."""
    return tuple(
        step for segment in segments(points, breaks) for step in _steps([p for p in segment if p.counts], ratios)
    )


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
    return []
