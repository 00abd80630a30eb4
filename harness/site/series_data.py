"""The values as series, for trends and the frontier: columns in commit order, with breaks and steps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from harness.history.point import Point
from harness.history.steps import Step
from harness.site.index_data import Index
from harness.site.lines import Line
from harness.site.script_file import ScriptFile, script_file
from harness.site.value_data import exact, rounded

POINTS_OF_A_FILE = 4_000
"""About 150 kB: what a page reads for the first chart."""


@dataclass(frozen=True)
class SeriesFiles:
    """The files of all series, and in which of them each is."""

    files: list[ScriptFile]
    file_of: list[int]


def series_files(lines: Sequence[Line], index: Index) -> SeriesFiles:
    """Series of one metric lie beside one another: a view of one metric reads few files."""
    files: list[ScriptFile] = []
    file_of: list[int] = []
    for group in _groups(lines):
        content = [[number, _columns(lines[number], index)] for number in group]
        file_of += [len(files)] * len(group)
        files.append(script_file(f"series-{len(files)}", content))
    return SeriesFiles(files, file_of)


def _groups(lines: Sequence[Line]) -> Iterator[list[int]]:
    group: list[int] = []
    size = 0
    for number, line in enumerate(lines):
        if group and size + len(line.places) > POINTS_OF_A_FILE:
            yield group
            group, size = [], 0
        group.append(number)
        size += len(line.places)
    if group:
        yield group


def _columns(line: Line, index: Index) -> dict[str, Any]:
    points = [place.point for place in line.places]
    last = [
        next((row for row in reversed(place.rows) if row["value"] is not None), place.rows[-1]) for place in line.places
    ]
    return {
        "run": [index.run_numbers[row["run_id"]] for row in last],
        "runs": _short([len(place.rows) for place in line.places]),
        "definition": _short([index.definition(row) for row in last]),
        "how": _short([index.how(row) for row in last]),
        "value": [exact(point.value) for point in points],
        "low": _short([rounded(point.low) for point in points]),
        "high": _short([rounded(point.high) for point in points]),
        "n": _short([row["n"] for row in last]),
        "launches": _short([row["launches"] for row in last]),
        "marks": [[place, list(point.marks)] for place, point in enumerate(points) if point.marks],
        "state": _short([_state(point) for point in points]),
        "breaks": [list(one) for one in line.breaks],
        "steps": [_step(*one) for one in line.steps],
    }


def _state(point: Point) -> int:
    """How it is drawn: 0 on the branch, 1 with changed files, 2 outside of the branch."""
    return 2 if point.why_apart or point.beside else 1 if point.dirty else 0


def _short(values: list[Any]) -> Any:
    """One value where all are the same, else all of them."""
    return values[0] if values and all(value == values[0] for value in values) else values


def _step(at: int, earliest: int, latest: int, step: Step) -> dict[str, Any]:
    return {
        **{"at": at, "earliest": earliest, "latest": latest},
        "before": [rounded(end) for end in (step.before, *step.before_ends)],
        "after": [rounded(end) for end in (step.after, *step.after_ends)],
        "change": [rounded(end) for end in step.change[:3]],
    }
