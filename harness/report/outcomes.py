"""Outcomes of expectations as a table."""

from __future__ import annotations

from collections.abc import Sequence

from harness.evidence.selection import describe
from harness.number import Shown, with_interval
from harness.report.table import Column, Row, Table
from harness.results.finding import ExpectationOutcome, Outcome


def expectation_table(outcomes: Sequence[ExpectationOutcome]) -> Table:
    """One row per expectation and cell, in the suite's order; the sentence stands before its first cell."""
    rows = []
    for sentence in dict.fromkeys(item.expectation for item in outcomes):
        mine = [item for item in outcomes if item.expectation == sentence]
        for number, item in enumerate(mine):
            value = Shown(with_interval(item.value, item.low, item.high))
            cells = (sentence if number == 0 else "", _where(item, mine), value, str(item.outcome), item.reason)
            rows.append(Row(cells, group=sentence, state=str(item.outcome)))
    columns = (Column("expectation"), Column("cell"), Column("value", numeric=True), Column("outcome"), Column("why"))
    tally = [f"{sum(item.outcome == outcome for item in outcomes)} {outcome}" for outcome in Outcome]
    how = dict.fromkeys(
        f"interval: {item.interval}" for item in outcomes if item.low is not None and item.low != item.high
    )
    return Table("expectations", columns, tuple(rows), ", ".join(tally), tuple(how))


def _where(item: ExpectationOutcome, among: Sequence[ExpectationOutcome]) -> str:
    """The model, and what tells this cell from the expectation's others."""
    differs = {
        name: value
        for name, value in item.subject.items()
        if name == "model" or any(other.subject.get(name) != value for other in among)
    }
    return describe(differs)
