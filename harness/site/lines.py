"""The series of a history as the site draws them: what `harness.history` makes of its rows, with the rows beside.

A point is a commit (one with changed files beside it is another), with the rows of all runs that measured it. Points
that are not in the history of the branch stand where they were added, marked.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.history import lines as line_rows
from harness.history.chosen_rows import failures_beside
from harness.history.commits import repository
from harness.history.folder import History
from harness.history.order import order_of
from harness.history.point import Point, key_of
from harness.history.series import Series, measured_commits, series_of_line
from harness.history.steps import Step

Row = dict[str, Any]


@dataclass(frozen=True)
class Place:
    """A point of a line with its rows, in the order of adding."""

    point: Point
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Line:
    """One series."""

    series: Series
    places: tuple[Place, ...]
    """All points from left to right."""
    breaks: tuple[tuple[int, str], ...]
    """Place of the first point after each break, and what changed there."""
    steps: tuple[tuple[int, int, int, Step], ...]
    """Place of the first point of each new level, the places between which it lies, and the step."""
    last: Row
    """A row of what the series is now."""


@dataclass(frozen=True)
class Lines:
    """All series of a history."""

    lines: tuple[Line, ...]
    apart: Mapping[str, str]
    """Commits (or runs without one, as `key_of` has them) that are not in the history of the branch: why."""
    subjects: Mapping[str, str]
    """First lines of commit messages, as far as the repository here knows them."""
    branch: str | None
    notes: tuple[str, ...]
    """What is not known of the order of commits."""


def all_lines(history: History, rows: Sequence[Row], *, branch: str | None, folder: Path | None) -> Lines:
    """The series of some rows of a history, by metric; each row is told the number of its series (`series`).

    branch: whose history it is; folder: in the project's repository (None: the working folder). Raises UserError for a
    branch that isn't there.
    """
    repo = repository(folder, branch)
    order = order_of(measured_commits(history), repo, branch)
    valued = [row for row in rows if row["metric"] is not None]
    every = [*valued, *failures_beside(history, valued)]
    for row in every:
        row["key"] = key_of(row)
    at = {key: number for number, key in enumerate(order.keys)}
    found = [_line(one, series_of_line(one, one.last["metric"], order, at)) for one in line_rows.lines_of(every, at)]
    found.sort(key=lambda line: [str(line.last[name]) for name in _SORTED])
    for number, line in enumerate(found):
        for place in line.places:
            for row in place.rows:
                row["series"] = number
    commits = sorted({row["commit"] for row in rows if row["commit"] is not None})
    subjects = {} if repo is None else repo.subjects(sorted(repo.has(commits)))
    return Lines(tuple(found), order.apart, subjects, order.branch, order.notes)


_SORTED = (
    "metric",
    "kind",
    "suite",
    "machine_class",
    "model",
    "measure",
    "where",
    "part",
    "cell",
    "reads",
    "model_entry",
)


def _line(line: line_rows.Line, series: Series) -> Line:
    rows: dict[tuple[str, bool], list[Row]] = {}
    for row in sorted((row for variant in line.variants for row in variant), key=lambda row: row["sequence"]):
        rows.setdefault((row["key"], bool(row["dirty"])), []).append(row)
    points = _side_by_side(series, {key: some[0]["sequence"] for key, some in rows.items()})
    counted = {point.key: place for place, point in reversed(list(enumerate(points))) if point.counts}
    first = {point.key: place for place, point in reversed(list(enumerate(points)))}
    return Line(
        series=series,
        places=tuple(Place(point, tuple(rows[point.key, point.dirty])) for point in points),
        breaks=tuple((first[one.key], one.why) for one in series.breaks if first[one.key]),
        steps=tuple((counted[one.key], counted[one.earliest], counted[one.latest], one) for one in series.steps),
        last=line.last,
    )


def _side_by_side(series: Series, added: Mapping[tuple[str, bool], int]) -> list[Point]:
    """The points in commit order, those that stand apart behind the last one that was added before them."""
    points = list(series.points)
    latest: list[int] = []
    for point in points:
        latest.append(max(added[point.key, point.dirty], latest[-1] if latest else 0))
    for point in sorted(series.apart, key=lambda point: added[point.key, point.dirty], reverse=True):
        points.insert(bisect_right(latest, added[point.key, point.dirty]), point)
    return points
