"""One budget of time for several comparisons: it goes to those that are undecided, the nearest to a decision first."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from math import inf

from harness.errors import UserError
from harness.gate.lockstep.lockstep import CONFIRMING, FEWEST, Lockstep, Measured
from harness.statistics.sign_flip_process import evidence_above, evidence_below, strongest
from harness.statistics.speed_decision import Decision, Rule, decide, is_faster

SLICE = 2
"""Launches for which a comparison goes on before the next choice: an odd one has an A/A launch beside it."""


def launches_left(measured: Measured, rule: Rule) -> float:
    """About how many launches a comparison is from its decision; infinite where there is no evidence yet.

    Evidence, a logarithm, grows by about the same with every launch, so that what is lacking is in proportion to what
    came of those so far. What has been found and waits to be measured once more is nearest.
    """
    d = measured.differences
    if decide(d, rule) is Decision.FAIL or is_faster(d, rule):
        return float(max(CONFIRMING - len(measured.fresh), 1))
    if len(d) < FEWEST:
        return float(FEWEST - len(d))
    share = max(
        strongest(evidence_above(d)) / rule.to_fail,
        strongest(evidence_below(d, rule.log_margin)) / rule.to_pass,
    )
    return max(1.0, len(d) * (1 / share - 1)) if share > 0 else inf


def share_time(
    comparisons: Sequence[Lockstep], minutes: float, now: Callable[[], float] = time.monotonic
) -> list[UserError | None]:
    """Go round the comparisons until all are at their ends or the time is over. One that fails leaves the time to the
    others: what ended it, by comparison; None of those that did not fail."""
    until = now() + 60 * minutes
    failed: list[UserError | None] = [None] * len(comparisons)
    going = list(range(len(comparisons)))
    while going and now() < until:
        nearest = min(going, key=lambda place: _order(comparisons[place]))
        try:
            is_over = comparisons[nearest].go_on(SLICE, until)
        except UserError as error:
            failed[nearest], is_over = error, True
        if is_over:
            going.remove(nearest)
    for place in going:
        measured = comparisons[place].measured
        measured.ran_out = measured.ran_out or f"as {minutes:.3g} minutes for all comparisons were over"
    return failed


def _order(comparison: Lockstep) -> tuple[float, int]:
    """The nearest first; of those alike the one with the fewest launches."""
    return launches_left(comparison.measured, comparison.rule), len(comparison.measured.first)
