"""Whether a suite's expectations mean cells that it has: told when it is loaded, not after the run.

What can't be known yet is left to the judgment after the run: parts of cells, and the device that `auto` stands for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.comparison.expectation import Expectation
from harness.comparison.expected_metric import measures_of
from harness.evidence.selection import Where, describe, selects_row, why_no_row
from harness.measures.registry import MEASURES
from harness.results.record import Scalar
from harness.spelling import nearest_aside
from harness.suite.cells import Cell
from harness.suite.mistakes import located
from harness.suite.schema import Suite
from harness.yaml_files.document import Document

UNKNOWN = ("part", "device")
"""Coordinates that a plan does not have."""

Row = Mapping[str, Scalar]


def planned_rows(cells: Sequence[Cell]) -> list[Row]:
    """The coordinates of a suite's cells, as far as a plan has them."""
    return [{"model": cell.model, **cell.axes, "measure": cell.measure, **cell.settings} for cell in cells]


def wrong_expectations(suite: Suite, cells: Sequence[Cell], document: Document) -> list[str]:
    """A sentence, with its line, for every expectation that could never be judged. cells: of this suite."""
    rows = planned_rows(cells)
    return [
        located(document, ("expect", number, key), why)
        for number, expectation in enumerate(suite.expect)
        for key, why in _wrong(expectation, suite, rows)
    ]


def _wrong(expectation: Expectation, suite: Suite, rows: Sequence[Row]) -> list[tuple[str, str]]:
    """(key, what is wrong with it) of an expectation: the first thing."""
    if expectation.metric is None:
        return [] if suite.analyse else [("finding", "the suite has no analysis, so there are no findings")]
    able, chosen, wrong = rows_of_metric(expectation.metric, expectation.measure, expectation.where, rows)
    if wrong is not None:
        return [wrong]
    if expectation.against is None or any(name in UNKNOWN for name in (*expectation.against, *expectation.where)):
        return []
    if expectation.stored is not None:  # which cells it has is seen when it is read
        names = {name for row in able for name in row}
        unknown = [name for name in expectation.replaced if name not in names]
        near = [f"no cell has '{name}'{nearest_aside(name, names)}; there are: {', '.join(names)}" for name in unknown]
        return [("against", why) for why in near[:1]]
    others = [row for row in chosen if not selects_row(expectation.against, row)]
    if not others:
        alone = describe(expectation.against)
        return [("against", f"it would compare a cell with itself ({alone}); say in `where` which cells are compared")]
    identities = {_identity(row) for row in able}
    if not any(_identity({**row, **expectation.against}) in identities for row in others):
        if any(selects_row(expectation.against, row) for row in able):
            given = describe(expectation.against)
            return [("against", f"no cell has {given} with the other axes and settings the same")]
        return [("against", f"no cell to compare with: {why_no_row(expectation.against, able)}")]
    return []


def rows_of_metric(
    metric: str, measure: str | None, where: Where, rows: Sequence[Row]
) -> tuple[list[Row], list[Row], tuple[str, str] | None]:
    """The rows that give a metric, those of them that are meant, and where there are none of these (key, what is wrong
    with it)."""
    giving = measures_of(metric)
    able = [row for row in rows if row["measure"] in giving]
    name, _, version = metric.partition("@")
    if version and not giving and (known := measures_of(name)):
        now = next(one.id for measure in known for one in MEASURES[measure].metrics if one.name == name)
        return able, [], ("metric", f"there is no {metric} any more: it is now {now}, and its numbers differ")
    if not able:
        there = ", ".join(sorted(giving)) or "none"
        return able, [], ("metric", f"no measure of this suite gives {metric}; these do: {there}")
    known_where: Where = {name: value for name, value in where.items() if name not in UNKNOWN}
    if measure is not None:
        known_where = {**known_where, "measure": measure}
    chosen = [row for row in able if selects_row(known_where, row)]
    if not chosen:
        return able, [], ("where" if where else "measure", why_no_row(known_where, able))
    return able, chosen, None


def _identity(row: Row) -> frozenset[tuple[str, bool, Scalar]]:
    """Equal for rows whose coordinates are all the same: 8 is 8.0, but True is not 1."""
    return frozenset((name, isinstance(value, bool), value) for name, value in row.items())
