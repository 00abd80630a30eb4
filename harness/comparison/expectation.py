"""Expectations of a suite: a bound on a metric, or on its ratio to another cell, judged with its interval.

Met: the whole interval keeps the bound. Unmet: the whole interval breaks it. Undecided: the interval straddles it,
or there is nothing to judge (no such cell, a cell that failed, no interval). An expectation that matches nothing is
undecided and says what there is: silence would look like success.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from harness.comparison.comparability import why_not_comparable
from harness.evidence.ratio import estimate, ratio
from harness.evidence.selection import (
    ENDED,
    Point,
    Where,
    coordinates,
    counterpart,
    describe,
    listed,
    of_cell,
    points,
    same,
    selects,
    varying_within_models,
    why_nothing,
)
from harness.results.finding import ExpectationOutcome, Finding, Outcome
from harness.results.record import CellResult, Scalar, Status
from harness.results.run import Run
from harness.spelling import nearest_aside
from harness.strict_models import Written


class Expectation(Written):
    """A bound that a suite declares: `{metric: perplexity, where: {precision: int8}, at_most: 20}`."""

    metric: str | None = None
    """Name of a metric, such as `perplexity` (or with its version, `perplexity@2`)."""
    finding: str | None = None
    """In place of a metric, the name of a finding of an analysis, such as `alpha`."""
    where: dict[str, Scalar | list[Scalar]] = Field(default={})
    """Which cells: model, axes and settings with the value, or a list of values. Left out: every cell. For a finding:
    `analysis` and what the finding is about."""
    against: dict[str, Scalar] | None = Field(default=None, min_length=1)
    """The bound holds for the ratio to the same cell with these replaced, such as `{precision: fp32}`."""
    at_most: float | None = None
    """Upper bound, in the metric's unit or as a ratio."""
    at_least: float | None = None
    """Lower bound."""
    measure: str | None = None
    """The measure, where several emit the metric."""

    @field_validator("where")
    @classmethod
    def _values(cls, where: dict[str, Any]) -> dict[str, Any]:
        for name, value in where.items():
            if value == []:
                raise PydanticCustomError("where", "`where` has no value for {name}", {"name": name})
        return where

    @field_validator("at_most", "at_least", mode="before")
    @classmethod
    def _a_number(cls, bound: Any) -> Any:
        if isinstance(bound, bool):
            raise PydanticCustomError("bound", "should be a number")
        return bound

    @model_validator(mode="after")
    def _bounded(self) -> Expectation:
        if (self.metric is None) == (self.finding is None):
            raise PydanticCustomError(
                "subject", "an expectation is of a `metric` or of a `finding`, and of one of them"
            )
        if self.finding is not None and (self.against is not None or self.measure is not None):
            raise PydanticCustomError("subject", "an expectation of a `finding` has no `against` and no `measure`")
        if self.at_most is None and self.at_least is None:
            raise PydanticCustomError("no_bound", "an expectation needs `at_most` or `at_least`")
        if self.at_most is not None and self.at_least is not None and self.at_most < self.at_least:
            raise PydanticCustomError("bounds", "`at_most` is less than `at_least`: nothing can be both")
        return self

    @property
    def bound(self) -> str:
        """`at least 1.2`, `at most 1.01`, or both."""
        parts = [
            f"{word} {value:,.10g}"
            for word, value in (("at least", self.at_least), ("at most", self.at_most))
            if value is not None
        ]
        return " and ".join(parts)

    @property
    def sentence(self) -> str:
        """`perplexity (int8) / perplexity (fp32) at most 1.01`."""
        subject = f"{self.metric or self.finding}{_in_brackets(self.where)}"
        if self.against is not None:
            subject += f" / {self.metric}{_in_brackets(self.against)}"
        return f"{subject} {self.bound}"


def evaluate(
    expectations: Sequence[Expectation], run: Run, findings: Sequence[Finding] = ()
) -> list[ExpectationOutcome]:
    """One outcome per expectation and cell (or finding) that it selects; at least one per expectation."""
    return [
        outcome
        for expectation in expectations
        for outcome in (
            _outcomes(expectation, run) if expectation.finding is None else _of_findings(expectation, findings)
        )
    ]


def _of_findings(expectation: Expectation, findings: Sequence[Finding]) -> list[ExpectationOutcome]:
    """One outcome per finding of that name whose subject `where` selects."""
    named = [item for item in findings if item.name == expectation.finding]
    if not named:
        known = list(dict.fromkeys(item.name for item in findings))
        why = f"no analysis found '{expectation.finding}'{nearest_aside(expectation.finding or '', known)}"
        return [undecided(expectation, {}, f"{why}; there are: {', '.join(known) or 'none'}")]
    chosen = [item for item in named if _about(item, expectation.where)]
    if not chosen:
        there = "; ".join(describe(item.subject) for item in named)
        return [undecided(expectation, {}, f"no such finding{_in_brackets(expectation.where)}; there are: {there}")]
    return [
        undecided(expectation, item.subject, f"the fit is not to be trusted: {doubt.note}")
        if (doubt := _doubt(item, findings)) is not None
        else _judge_finding(expectation, item)
        for item in chosen
    ]


def _doubt(finding: Finding, findings: Sequence[Finding]) -> Finding | None:
    """The finding that says that the fit which this one comes from can't be trusted. What was measured on held-out
    runs stands whatever the fit is worth."""
    if finding.name == "trust" or finding.name.startswith("held_out"):
        return None
    for item in findings:
        alike = item.analysis == finding.analysis and item.subject.items() <= finding.subject.items()
        if alike and item.name == "trust" and item.value == 0:
            return item
    return None


def _about(finding: Finding, where: Where) -> bool:
    at: dict[str, Scalar] = {"analysis": finding.analysis, **finding.subject}
    return all(name in at and any(same(at[name], value) for value in listed(wanted)) for name, wanted in where.items())


def _judge_finding(expectation: Expectation, finding: Finding) -> ExpectationOutcome:
    if finding.value is None:
        return undecided(expectation, finding.subject, finding.note or "it has no value")
    low, high = finding.low, finding.high
    if finding.interval == "exact":
        low = high = finding.value
    outcome, reason = _against_bounds(low, high, finding.interval or "none was made", expectation)
    return ExpectationOutcome(
        expectation=expectation.sentence,
        subject=finding.subject,
        outcome=outcome,
        value=finding.value,
        low=low,
        high=high,
        interval=finding.interval,
        bound=expectation.bound,
        reason=reason,
    )


def _outcomes(expectation: Expectation, run: Run) -> list[ExpectationOutcome]:
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
    if expectation.against is not None:
        others = [cell for cell in chosen if not _is_base(expectation.against, cell, of_cell(cell, having, where))]
        if chosen and not others:
            return [undecided(expectation, {}, "it would compare a cell with itself; say which in `where`")]
        chosen = others
    if not chosen:
        why = why_nothing(where, able) if able else f"the run has no cell that measures {metric}"
        return [undecided(expectation, {}, why)]
    shown = {"model", *where, *(expectation.against or {}), *varying_within_models(chosen)} - {"measure"}
    outcomes = []
    for cell in chosen:
        subject = {name: value for name, value in coordinates(cell).items() if name in shown}
        mine = of_cell(cell, having, where)
        if not mine:
            outcomes.append(undecided(expectation, subject, _why_no_value(metric, cell)))
        for point in mine:
            if expectation.against is not None and _is_base(expectation.against, cell, [point]):
                continue
            part: dict[str, Scalar] = {} if point.record.part is None else {"part": point.record.part}
            outcomes.append(_judge(expectation, point, having, subject | part))
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
    expectation: Expectation, point: Point, having: list[Point], subject: dict[str, Scalar]
) -> ExpectationOutcome:
    if expectation.against is None:
        value, found = point.record.value, estimate(point.record)
        low, high = (found.low, found.high) if found else (None, None)
        if value == math.inf and point.record.low is not None:  # what was not reached is above what was tried
            low, high = point.record.low, value
        method = point.record.interval
    else:
        base = counterpart(point.coordinates, expectation.against, having)
        if base is None:
            return undecided(expectation, subject, _why_no_base(expectation, point.cell, point.run))
        reason = why_not_comparable(base, point)
        if reason is not None:
            return undecided(expectation, subject, f"not comparable: {reason}")
        result = ratio(point, base)
        if result is None:
            return undecided(expectation, subject, "a ratio needs two positive values")
        value, low, high, method = result.value, result.low, result.high, result.method
    outcome, reason = _against_bounds(low, high, method, expectation)
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


def _against_bounds(
    low: float | None, high: float | None, method: str | None, expectation: Expectation
) -> tuple[Outcome, str]:
    if low is None or high is None:
        return Outcome.UNDECIDED, f"the value has no interval ({method}); measure more"
    least = expectation.at_least if expectation.at_least is not None else float("-inf")
    most = expectation.at_most if expectation.at_most is not None else float("inf")
    if low >= least and high <= most:
        return Outcome.MET, ""
    if high < least or low > most:
        return Outcome.UNMET, ""
    return Outcome.UNDECIDED, "the interval straddles the bound; measure more"


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
        return f"no cell has{_in_brackets(against)} with the other axes and settings the same"
    return "no cell to compare with: " + why_nothing(dict(against), alike)


def undecided(expectation: Expectation, subject: dict[str, Scalar], reason: str) -> ExpectationOutcome:
    """The outcome of an expectation that can't be judged, and why."""
    return ExpectationOutcome(
        expectation=expectation.sentence,
        subject=subject,
        outcome=Outcome.UNDECIDED,
        bound=expectation.bound,
        reason=reason,
    )


def _in_brackets(where: Where) -> str:
    return f" ({describe(where)})" if where else ""
