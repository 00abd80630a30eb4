"""Expectations of findings, judged with the intervals that their analyses made."""

from __future__ import annotations

from collections.abc import Sequence

from harness.comparison.expectation import Expectation, in_brackets
from harness.comparison.outcome import against_bounds, undecided
from harness.evidence.selection import Where, describe, listed, same
from harness.results.finding import ExpectationOutcome, Finding
from harness.results.record import Scalar
from harness.spelling import nearest_aside


def of_findings(expectation: Expectation, findings: Sequence[Finding]) -> list[ExpectationOutcome]:
    """One outcome per finding of that name whose subject `where` selects."""
    named = [item for item in findings if item.name == expectation.finding]
    if not named:
        known = list(dict.fromkeys(item.name for item in findings))
        why = f"no analysis found '{expectation.finding}'{nearest_aside(expectation.finding or '', known)}"
        return [undecided(expectation, {}, f"{why}; there are: {', '.join(known) or 'none'}")]
    chosen = [item for item in named if _about(item, expectation.where)]
    if not chosen:
        there = "; ".join(describe(item.subject) for item in named)
        return [undecided(expectation, {}, f"no such finding{in_brackets(expectation.where)}; there are: {there}")]
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
    outcome, reason = against_bounds(low, high, finding.interval or "none was made", expectation)
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
