"""Expectations of a suite judged: each has an outcome at least.

An expectation that matches nothing (no such cell, a cell that failed) is undecided and says what there is: silence
would look like success.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.comparison.expectation import Expectation
from harness.comparison.expected_finding import of_findings
from harness.comparison.expected_metric import of_cells
from harness.comparison.expected_run import stored_run, why_itself
from harness.comparison.outcome import undecided
from harness.errors import UserError
from harness.results.finding import ExpectationOutcome, Finding
from harness.results.run import Run


def evaluate(
    expectations: Sequence[Expectation], run: Run, findings: Sequence[Finding] = ()
) -> list[ExpectationOutcome]:
    """One outcome per expectation and cell (or finding) that it selects; at least one per expectation.

    A run that an expectation is held against is one beside this run, a baseline, or a folder.
    """
    return [outcome for expectation in expectations for outcome in _evaluate(expectation, run, findings)]


def _evaluate(expectation: Expectation, run: Run, findings: Sequence[Finding]) -> list[ExpectationOutcome]:
    if expectation.finding is not None:
        return of_findings(expectation, findings)
    if expectation.stored is None:
        return of_cells(expectation, run)
    try:
        stored = stored_run(expectation.stored, run.folder.parent, run.manifest.suite_source)
    except UserError as error:
        return [undecided(expectation, {}, str(error))]
    if (why := why_itself(stored, run)) is not None:
        return [undecided(expectation, {}, why)]
    return of_cells(expectation, run, stored)
