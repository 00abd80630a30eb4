"""Expectations of a suite judged: each has an outcome at least.

An expectation that matches nothing (no such cell, a cell that failed) is undecided and says what there is: silence
would look like success.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.comparison.expectation import Expectation
from harness.comparison.expected_finding import of_findings
from harness.comparison.expected_metric import of_cells
from harness.results.finding import ExpectationOutcome, Finding
from harness.results.run import Run


def evaluate(
    expectations: Sequence[Expectation], run: Run, findings: Sequence[Finding] = ()
) -> list[ExpectationOutcome]:
    """One outcome per expectation and cell (or finding) that it selects; at least one per expectation."""
    return [
        outcome
        for expectation in expectations
        for outcome in (
            of_cells(expectation, run) if expectation.finding is None else of_findings(expectation, findings)
        )
    ]
