"""How an expectation comes out: what an interval says of its bounds.

Met: the whole interval keeps the bound. Unmet: the whole interval breaks it. Undecided: the interval straddles it,
or there is nothing to judge.
"""

from __future__ import annotations

from harness.comparison.expectation import Expectation
from harness.results.finding import ExpectationOutcome, Outcome
from harness.results.record import Scalar


def against_bounds(
    low: float | None, high: float | None, method: str | None, expectation: Expectation
) -> tuple[Outcome, str]:
    """What an interval says of the bounds, and why where it says nothing. method: how the interval was made."""
    if low is None or high is None:
        return Outcome.UNDECIDED, f"the value has no interval ({method}); measure more"
    least = expectation.at_least if expectation.at_least is not None else float("-inf")
    most = expectation.at_most if expectation.at_most is not None else float("inf")
    if low >= least and high <= most:
        return Outcome.MET, ""
    if high < least or low > most:
        return Outcome.UNMET, ""
    return Outcome.UNDECIDED, "the interval straddles the bound; measure more"


def undecided(expectation: Expectation, subject: dict[str, Scalar], reason: str) -> ExpectationOutcome:
    """The outcome of an expectation that can't be judged, and why."""
    return ExpectationOutcome(
        expectation=expectation.sentence,
        subject=subject,
        outcome=Outcome.UNDECIDED,
        bound=expectation.bound,
        reason=reason,
    )
