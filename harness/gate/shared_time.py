"""One budget of time for several comparisons: it goes to those that are undecided, the nearest to a decision first."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from math import inf
from typing import Protocol

from harness.gate.lockstep import CONFIRMING, FEWEST, Measured
from harness.statistics.sign_flip_process import evidence_above, evidence_below, strongest
from harness.statistics.speed_decision import Decision, Rule, decide, is_faster

SLICE = 2
"""Launches for which a comparison goes on before the next choice: an odd one has an A/A launch beside it."""


class GoesOn(Protocol):
    """What can go on in slices: a `Lockstep`, and what holds one."""

    @property
    def measured(self) -> Measured:
        """What was measured so far."""

    @property
    def rule(self) -> Rule:
        """What it is judged by."""

    def go_on(self, launches: int | None = None, until: float | None = None) -> bool:
        """See `Lockstep.go_on`."""


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
    comparisons: Sequence[GoesOn], minutes: float, now: Callable[[], float] = time.monotonic
) -> list[bool]:
    """Go round the comparisons until all are at their ends or the time is over: which are.

    Raises what a launch raises; what the others measured is kept.
    """
    until = now() + 60 * minutes
    ended = [False] * len(comparisons)
    while not all(ended) and now() < until:
        open_ones = [place for place, is_over in enumerate(ended) if not is_over]
        nearest = min(open_ones, key=lambda place: _order(comparisons[place]))
        ended[nearest] = comparisons[nearest].go_on(SLICE, until)
    for comparison, is_over in zip(comparisons, ended, strict=True):
        if not is_over and not comparison.measured.ran_out:
            comparison.measured.ran_out = f"as {minutes:.3g} minutes for all comparisons were over"
    return ended


def _order(comparison: GoesOn) -> tuple[float, int]:
    """The nearest first; of those alike the one with the fewest launches."""
    return launches_left(comparison.measured, comparison.rule), len(comparison.measured.first)
