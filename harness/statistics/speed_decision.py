"""When launches are enough to call one version slower, not slower, or faster than another, by a declared margin.

Differences are logarithms of time ratios (head over base), one per launch. Two questions are asked after every launch,
each with an e-process (`sign_flip_process`), so that looking costs nothing:

    is it slower at all?          against "d <= 0", at `fail_alpha`
    is it slower by the margin?   against "d >= log(1 + margin)", at `pass_alpha`: a pass needs evidence too

FAIL: slower at all, and the median difference is the margin or more. PASS: not slower by the margin. MINOR: both, that
is slower for certain, and by less than the margin. The first null is symmetric because the order is drawn; that the
second is symmetric about the margin assumes in addition that a change is one factor.

A gain is claimed as a loss is: against "d >= 0" at `fail_alpha`, with a median of the margin or more. A finding of
either kind is measured once more on fresh launches: two independent e-values multiply, and the product has to stand.
With several tests in one command each has to reach `tests` / `fail_alpha` (Bonferroni for e-values; Vovk & Wang 2021,
Annals of Statistics 49:1736). A pass needs no such factor: the command passes where all tests do.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from math import log, log1p

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harness.statistics.sign_flip_process import evidence_above, evidence_below, launches_needed, strongest

Floats = NDArray[np.float64]


class Decision(StrEnum):
    """What the launches so far come to."""

    FAIL = "fail"
    PASS = "pass"
    MINOR = "minor"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True)
class Rule:
    """What is asked of the launches."""

    margin: float = 0.05
    """The smallest slowdown of interest: 0.05 is 5 %."""
    fail_alpha: float = 0.01
    """The chance of a false FAIL, for the whole command."""
    pass_alpha: float = 0.05
    """The chance of a PASS where the slowdown is the margin or more."""
    tests: int = 1
    """How many tests the command makes."""

    def __post_init__(self) -> None:
        if not 0 < self.margin < np.inf:
            raise ValueError(f"a margin is a share above 0, such as 0.05, not {self.margin}")
        if not (0 < self.fail_alpha < 1 and 0 < self.pass_alpha < 1 and self.tests >= 1):
            raise ValueError("chances of errors lie between 0 and 1, and there is at least one test")

    @property
    def log_margin(self) -> float:
        """The margin as a difference of logarithms."""
        return log1p(self.margin)

    @property
    def to_fail(self) -> float:
        """What the logarithm of the evidence for a change has to reach."""
        return log(self.tests / self.fail_alpha)

    @property
    def to_pass(self) -> float:
        """What the logarithm of the evidence against the margin has to reach."""
        return log(1 / self.pass_alpha)

    @property
    def fewest(self) -> int:
        """Launches without which there is no FAIL, however slow the head is."""
        return launches_needed(self.fail_alpha / self.tests)


def decide(differences: ArrayLike, rule: Rule) -> Decision:
    """What the launches say so far. differences: (launches,), in the order in which they were measured."""
    d = np.asarray(differences, dtype=np.float64)
    if len(d) == 0:
        return Decision.INCONCLUSIVE
    is_slower = strongest(evidence_above(d)) >= rule.to_fail
    if is_slower and float(np.median(d)) >= rule.log_margin:
        return Decision.FAIL
    if strongest(evidence_below(d, rule.log_margin)) >= rule.to_pass:
        return Decision.MINOR if is_slower else Decision.PASS
    return Decision.INCONCLUSIVE


def is_faster(differences: ArrayLike, rule: Rule) -> bool:
    """Whether the launches show a gain of the margin or more, as carefully as a FAIL shows a loss."""
    d = -np.asarray(differences, dtype=np.float64)
    if len(d) == 0:
        return False
    return strongest(evidence_above(d)) >= rule.to_fail and float(np.median(d)) >= rule.log_margin


def may_be_faster(differences: ArrayLike, rule: Rule) -> bool:
    """Whether more launches could show a gain: the median is one, and the evidence for it is not there yet."""
    d = np.asarray(differences, dtype=np.float64)
    return len(d) > 0 and float(np.median(d)) <= -rule.log_margin and not is_faster(d, rule)


def stands(first: ArrayLike, fresh: ArrayLike, rule: Rule, *, slower: bool = True) -> bool:
    """Whether a finding of the `first` launches stands after `fresh` ones that were measured for it: the product of
    both e-values reaches what one had to, the median of all launches is still the margin or more, and that of the fresh
    ones is half of it at least: no change at all is weak evidence against one, and the product alone would hardly fall.

    The e-values are those at the last launch of each (the largest on the way is none). slower: False asks for a gain.
    """
    sign = 1.0 if slower else -1.0
    one, other = (sign * np.asarray(part, dtype=np.float64) for part in (first, fresh))
    if len(one) == 0 or len(other) == 0:
        return False
    product = float(evidence_above(one)[-1] + evidence_above(other)[-1])
    again = float(np.median(other)) >= rule.log_margin / 2
    return again and product >= rule.to_fail and float(np.median(np.concatenate([one, other]))) >= rule.log_margin
