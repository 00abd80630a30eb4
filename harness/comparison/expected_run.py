"""The stored run that an expectation is held against: `against: {run: main}`, and which of its cells."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from harness.comparison.definition import cell_pairs, definition_of
from harness.comparison.expectation import Expectation, in_brackets
from harness.errors import UserError
from harness.evidence.selection import ENDED, Point, points, same
from harness.results.baseline import baselines_of
from harness.results.find import find_whole_name
from harness.results.record import CellResult, Scalar, Status
from harness.results.run import Run


def stored_run(name: str, out: Path, suite: str) -> Run:
    """The run that an expectation names: by its folder (seen from the working folder), by its whole name below `out`,
    or a baseline. suite: the file that the expectation stands in, beside or above which baselines are looked for too.
    Raises UserError, with how one is made, where there is none."""
    try:
        found = find_whole_name(name, out, baselines_of(suite))
        found.manifest, found.cells  # noqa: B018 - a damaged one is told of here
    except UserError as error:
        raise UserError(f"there is nothing to hold it against: {error}") from None
    return found


def why_no_stored_runs(expectations: Iterable[Expectation], out: Path, suite: str) -> list[str]:
    """Of every run that expectations name and that isn't there, or can't be read, a sentence: they can't be judged.
    suite: their file."""
    named: dict[str, list[Expectation]] = {}
    for expectation in expectations:
        if expectation.stored is not None:
            named.setdefault(expectation.stored, []).append(expectation)
    told = []
    for name, those in named.items():
        try:
            stored_run(name, out, suite)
        except UserError as error:
            many = f"{len(those)} expectations" if len(those) > 1 else "an expectation"
            told.append(f"{many} against the run '{name}' will be undecided: {error}")
    return told


def why_itself(stored: Run, run: Run) -> str | None:
    """Why a run can't be held against this stored one, which it is itself; None where it can."""
    same_id = bool(stored.manifest.id) and stored.manifest.id == run.manifest.id
    return f"{stored.name} is this run itself" if same_id or stored.folder.resolve() == run.folder.resolve() else None


def stored_counterpart(point: Point, replaced: Mapping[str, Scalar], having: Sequence[Point]) -> Point | None:
    """The same metric of the same cell of a stored run, but for what is replaced: by definition, so that a setting
    which it does not know yet counts as today's default. having: the stored run's values of the metric."""
    wanted = definition_of(point.cell) | {name: value for name, value in replaced.items() if name != "part"}
    part = replaced.get("part", point.record.part)
    for other in having:
        there = definition_of(other.cell)
        alike = part == other.record.part and there.keys() == wanted.keys()
        if alike and all(same(there[name], wanted[name]) for name in wanted):
            return other
    return None


def values_of(stored: Run, metric: str) -> list[Point]:
    """Its values of a metric, of whatever version: another one is not comparable, which is said then."""
    return points(stored, metric.partition("@")[0] if "@" in metric and not points(stored, metric) else metric)


def why_no_counterpart(expectation: Expectation, cell: CellResult, stored: Run, run: Run) -> str:
    """Why a stored run has no such value."""
    if not expectation.replaced:
        other = next((pair for pair in cell_pairs(stored, run) if pair.head is cell), None)
        if other is not None and other.base is None:
            return f"the run {stored.name} has no such cell: {other.why_alone} (the base is {stored.name})"
        if other is not None and other.base is not None and other.base.status is not Status.OK:
            reason = other.base.reason or "no reason given"
            return f"in the run {stored.name} the cell {ENDED[other.base.status]}: {reason}"
        return f"the cell in the run {stored.name} has no {expectation.metric}"
    given = in_brackets(expectation.replaced)
    has = f"no cell of the run {stored.name} has{given} with the other axes and settings the same"
    return f"{has} and a value of {expectation.metric}"
