"""The share of units that have a trait, where the classifier that says so errs and its errors were counted on a sample.

Rogan and Gladen (1978, American Journal of Epidemiology 107:71): with the share q of positives that the classifier
finds, its sensitivity and its specificity, the true share is (q + specificity - 1) / (sensitivity + specificity - 1),
cut to [0, 1]. The interval is Lang and Reiczigel's (2014, Preventive Veterinary Medicine 113:13): it carries the
uncertainty of all three, and stays near its nominal coverage where one of them is 0 or 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist

from harness.statistics.intervals import Interval


@dataclass(frozen=True)
class Errors:
    """What a classifier said of units whose label is known."""

    found: int
    """Positive units that it called positive."""
    positive: int
    passed: int
    """Negative units that it called negative."""
    negative: int

    @property
    def sensitivity(self) -> float:
        """Share of positive units that it finds."""
        return self.found / self.positive

    @property
    def specificity(self) -> float:
        """Share of negative units that it lets pass."""
        return self.passed / self.negative


def corrected_share(share: float, n: float, errors: Errors, confidence: float = 0.95) -> Interval:
    """The true share behind the `share` of `n` units that the classifier called positive.

    n: independent units, or as many as dependent ones are worth. ValueError without units or labels of both kinds, and
    for a classifier that is no better than guessing: then nothing can be said.
    """
    if not 0 <= share <= 1 or n <= 0 or min(errors.positive, errors.negative) < 1:
        raise ValueError(f"a share of {share} of {n} units, and {errors}: units and labels of both kinds are wanted")
    quality = errors.sensitivity + errors.specificity - 1
    if quality <= 0:
        raise ValueError("the classifier is no better than guessing on the labeled units")
    value = _within((share + errors.specificity - 1) / quality)
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    seen, units = (n * share + z * z / 2) / (n + z * z), n + z * z
    found, positive = (errors.found + 1) / (errors.positive + 2), errors.positive + 2
    passed, negative = (errors.passed + 1) / (errors.negative + 2), errors.negative + 2
    slope = found + passed - 1
    center = (seen + passed - 1) / slope
    shift = 2 * z * z * (center * found * (1 - found) / positive - (1 - center) * passed * (1 - passed) / negative)
    variance = (
        seen * (1 - seen) / units
        + center**2 * found * (1 - found) / positive
        + (1 - center) ** 2 * passed * (1 - passed) / negative
    )
    half = z * sqrt(variance) / slope
    low, high = _within(center + shift - half), _within(center + shift + half)
    return Interval(value, min(low, value), max(high, value), int(n))


def _within(share: float) -> float:
    return min(1.0, max(0.0, share))
