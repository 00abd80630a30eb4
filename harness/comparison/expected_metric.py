"""Expectations of metrics, of their values or of ratios to other cells, judged with the best interval that there is."""

from __future__ import annotations

import math

from harness.comparison.comparability import why_not_comparable
from harness.comparison.expectation import Expectation, in_brackets
from harness.comparison.expected_run import stored_counterpart, values_of, why_no_counterpart
from harness.comparison.metric_kind import is_timed
from harness.comparison.outcome import against_bounds, undecided
from harness.evidence.difference import difference
from harness.evidence.ratio import estimate, ratio
from harness.evidence.selection import (
    ENDED,
    Point,
    coordinates,
    counterpart,
    of_cell,
    points,
    same,
    selects,
    varying_within_models,
    why_nothing,
)
from harness.results.finding import ExpectationOutcome
from harness.results.record import CellResult, Scalar, Status
from harness.results.run import Run
from harness.spelling import nearest_aside

NO_TIME = "two runs made one after the other decide no time; `harness gate` and `harness ab` do"


def of_cells(expectation: Expectation, run: Run, stored: Run | None = None) -> list[ExpectationOutcome]:
    """One outcome per cell (and part) that `where` selects; one that says why where there is none. stored: the run that
    the expectation is held against, where it names one."""
    assert expectation.metric is not None
    where = dict(expectation.where)
    if expectation.measure is not None:
        where["measure"] = expectation.measure
    metric = expectation.metric
    having = points(run, metric)
    measures = measures_of(metric)
    if not measures:
        return [undecided(expectation, {}, _no_such_metric(metric))]
    able = [cell for cell in run.cells if cell.measure in measures]
    chosen = [cell for cell in able if selects(where, cell)]
    if any(point.cell in chosen for point in having):  # tasks have metrics of their own: not every cell has this one
        chosen = [cell for cell in chosen if cell.status is not Status.OK or of_cell(cell, having, {})]
    if expectation.against is not None and stored is None:
        others = [cell for cell in chosen if not _is_base(expectation.against, cell, of_cell(cell, having, where))]
        if chosen and not others:
            return [undecided(expectation, {}, "it would compare a cell with itself; say which in `where`")]
        chosen = others
    if not chosen:
        why = why_nothing(where, able) if able else f"the run has no cell that measures {metric}"
        return [undecided(expectation, {}, why)]
    shown = {"model", *where, *(expectation.against or {}), *varying_within_models(chosen)} - {"measure"}
    outcomes = []
    theirs = [] if stored is None else values_of(stored, metric)
    for cell in chosen:
        subject = {name: value for name, value in coordinates(cell).items() if name in shown}
        mine = of_cell(cell, having, where)
        if not mine:
            outcomes.append(undecided(expectation, subject, _why_no_value(metric, cell)))
        for point in mine:
            if expectation.against is not None and stored is None and _is_base(expectation.against, cell, [point]):
                continue
            part: dict[str, Scalar] = {} if point.record.part is None else {"part": point.record.part}
            base = None
            if stored is not None:
                base = stored_counterpart(point, expectation.replaced, theirs)
            elif expectation.against is not None:
                base = counterpart(point.coordinates, expectation.against, having)
            if base is None and expectation.against is not None:
                why = (
                    _why_no_base(expectation, cell, run)
                    if stored is None
                    else why_no_counterpart(expectation, cell, stored, run)
                )
                outcomes.append(undecided(expectation, subject | part, why))
            else:
                outcomes.append(_judge(expectation, point, base, subject | part))
    return outcomes


def _is_base(against: dict[str, Scalar], cell: CellResult, judged: list[Point]) -> bool:
    """Whether a cell is what others are compared with: where it has parts, whether all that are judged are."""
    if not judged:
        return selects(dict(against), cell)
    return all(counterpart(point.coordinates, against, [point]) is not None for point in judged)


def measures_of(metric: str) -> set[str]:
    """The measures that emit a metric (`perplexity` or `perplexity@2`), whether or not a cell of theirs ended well."""
    from harness.measures.registry import MEASURES

    return {name for name, measure in MEASURES.items() for item in measure.metrics if metric in (item.name, item.id)}


def _no_such_metric(metric: str) -> str:
    from harness.measures.registry import metrics

    known = list(dict.fromkeys(item.name for item in metrics()))
    return f"no measure has a metric '{metric}'{nearest_aside(metric, known)}; there are: {', '.join(known)}"


def _judge(
    expectation: Expectation, point: Point, base: Point | None, subject: dict[str, Scalar]
) -> ExpectationOutcome:
    """base: what it is held against; None where it is judged by itself."""
    if base is None:
        value, found = point.record.value, estimate(point.record)
        low, high = (found.low, found.high) if found else (None, None)
        if value == math.inf and point.record.low is not None:  # what was not reached is above what was tried
            low, high = point.record.low, value
        method = point.record.interval
    else:
        reason = why_not_comparable(base, point)
        if reason is not None:
            return undecided(expectation, subject, f"not comparable: {reason}")
        result = ratio(point, base) if expectation.by == "ratio" else difference(point, base)
        if result is None:
            needs = "a ratio needs two positive values" if expectation.by == "ratio" else "one of the two is no number"
            return undecided(expectation, subject, needs)
        value, low, high, method = result.value, result.low, result.high, result.method
        if expectation.stored is not None and is_timed(point.record):
            told = undecided(expectation, subject, NO_TIME)
            return told.model_copy(update={"value": value, "interval": f"none: {NO_TIME}"})
    outcome, reason = against_bounds(low, high, method, expectation)
    return ExpectationOutcome(
        expectation=expectation.sentence,
        subject=subject,
        outcome=outcome,
        value=value,
        low=low,
        high=high,
        interval=method,
        bound=expectation.bound,
        reason=reason,
    )


def _why_no_value(metric: str, cell: CellResult) -> str:
    if cell.status is Status.OK:
        return f"the cell has no {metric}" + "".join(f": {record.reason}" for record in cell.missing[:1])
    return f"the cell {ENDED[cell.status]}" + (f": {cell.reason}" if cell.reason else "")


def _why_no_base(expectation: Expectation, cell: CellResult, run: Run) -> str:
    against = expectation.against or {}
    wanted = coordinates(cell) | against
    for other in run.cells:
        there = coordinates(other)
        if there.keys() == wanted.keys() and all(same(there[name], wanted[name]) for name in wanted):
            return f"the cell to compare with: {_why_no_value(expectation.metric or '', other)}"
    alike = [other for other in run.cells if other.measure == cell.measure]
    if any(selects(dict(against), other) for other in alike):
        return f"no cell has{in_brackets(against)} with the other axes and settings the same"
    return "no cell to compare with: " + why_nothing(dict(against), alike)
