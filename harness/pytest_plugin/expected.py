"""What a run says of an expectation of its suite: its outcomes as they stand in the run folder, one for each cell."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.comparison.expectation import Expectation
from harness.comparison.expected_metric import measures_of
from harness.evidence.selection import ENDED, Where, describe, selects
from harness.measures.registry import metrics
from harness.number import with_interval
from harness.pytest_plugin.said import Properties, Said
from harness.results.finding import ExpectationOutcome, Outcome
from harness.results.record import CellResult, Scalar, Status
from harness.results.run import Run


def said_of(expectations: Sequence[Expectation], run: Run) -> Said:
    """What a run says of expectations that read alike (mostly one): it fails where one cell breaks the bound, and where
    it can't be told because a cell failed."""
    sentence = expectations[0].sentence
    outcomes = [one for one in run.expectations if one.expectation == sentence]
    if not outcomes:
        why = "; ".join(run.damage) or f"the run {run.folder} has no outcome of it"
        return Said("failed", f"{sentence}: {why}")
    unit = unit_of(expectations[0], run)
    properties = _properties(outcomes, unit)
    verdicts = {one.outcome for one in outcomes}
    told = [one for one in outcomes if one.outcome is not Outcome.MET] or outcomes
    text = _text(sentence, told, unit, len(outcomes))
    if Outcome.UNMET in verdicts:
        return Said("failed", text, properties)
    if Outcome.UNDECIDED not in verdicts:
        return Said("passed", text, properties)
    broken = list(dict.fromkeys(_broken(expectations, run)))
    return Said("failed" if broken else "undecided", "\n".join([text, *broken]), properties)


def unit_of(expectation: Expectation, run: Run) -> str:
    """The unit of what is bounded; `ratio` where that is one."""
    if expectation.finding is not None:
        return next((one.unit for one in run.findings if one.name == expectation.finding), "")
    if expectation.against is not None:
        return "ratio"
    return next((one.unit for one in metrics() if expectation.metric in (one.name, one.id)), "")


def _text(sentence: str, told: Sequence[ExpectationOutcome], unit: str, of: int) -> str:
    lines = [_line(one, unit) for one in told]
    if of == 1:
        return f"{sentence}: {lines[0]}"
    return "\n  ".join([f"{sentence}: {len(told)} of {of} cells", *lines])


def _line(one: ExpectationOutcome, unit: str) -> str:
    value = "" if one.value is None else f", {with_interval(one.value, one.low, one.high, unit)}"
    at = f" ({describe(one.subject)})" if one.subject else ""
    return f"{one.outcome.value}{value}{at}{f': {one.reason}' if one.reason else ''}"


def _properties(outcomes: Sequence[ExpectationOutcome], unit: str) -> Properties:
    """The worst verdict, the unit and the bound; then of each cell, which stands behind the names of several."""
    order = [Outcome.UNMET, Outcome.UNDECIDED, Outcome.MET]
    found: list[tuple[str, object]] = [
        ("verdict", min((one.outcome for one in outcomes), key=order.index).value),
        *([("unit", unit)] if unit else []),
        ("bound", outcomes[0].bound),
    ]
    for one in outcomes:
        several = len(outcomes) > 1
        at = f" ({describe(one.subject)})" if several else ""
        ends = {"value": one.value, "low": one.low, "high": one.high}
        named = {"verdict": one.outcome.value, **ends} if several else ends
        found += [(f"{name}{at}", value) for name, value in named.items() if value is not None]
    return tuple(found)


def _broken(expectations: Sequence[Expectation], run: Run) -> Iterator[str]:
    """What failed of that which decides: cells that are meant or compared with, or the analysis."""
    for expectation in expectations:
        if expectation.finding is not None:
            yield from (f"the analysis {one.analysis} failed: {one.note}" for one in run.findings if one.failed)
            continue
        assert expectation.metric is not None
        wanted: dict[str, Scalar | list[Scalar]] = dict(expectation.where)
        if expectation.measure is not None:
            wanted["measure"] = expectation.measure
        either = [wanted] if expectation.against is None else [wanted, {**wanted, **expectation.against}]
        giving = measures_of(expectation.metric)
        for cell in run.cells:
            if cell.measure in giving and any(_means(where, cell) for where in either) and not _ended_well(cell):
                yield f"{' '.join(map(str, (cell.model, *cell.axes.values(), cell.measure)))} {_how(cell)}"


def _means(where: Where, cell: CellResult) -> bool:
    """Whether a cell is meant: one that failed has no parts to tell."""
    return selects({name: value for name, value in where.items() if name != "part"}, cell)


def _ended_well(cell: CellResult) -> bool:
    return cell.status is Status.SKIPPED or cell.whole


def _how(cell: CellResult) -> str:
    if cell.status is Status.OK:
        return "could not give all: " + "; ".join(str(one.reason) for one in cell.missing)
    return f"{ENDED[cell.status]}: {cell.reason}"
