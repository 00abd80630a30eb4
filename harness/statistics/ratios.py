"""Intervals of ratios and of products of powers: how a cell compares with another.

Two values that were measured apart are combined on the log scale by MOVER (method of variance estimates
recovery): each one's own interval gives its two half-widths, and these add in quadrature. It needs no more than
the two intervals, keeps their asymmetry and never gives a negative ratio.
Two values over the same documents are paired instead: what is hard in a document is hard for both, so their
difference varies far less than either.

Sources: Zou & Donner 2008, Statistics in Medicine 27:1693 (MOVER); Zou, Huang & Zhang 2009, Computational
Statistics & Data Analysis 53:1080 (linear combinations); Cochran, Sampling Techniques, 3rd ed., section 6.4 (ratio
estimator).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

INDEPENDENT = "two independent intervals (MOVER on logs)"


@dataclass(frozen=True)
class PositiveEstimate:
    """A positive value with its interval; `low` and `high` are the value itself where it is exact."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Ratio:
    """A ratio (or a product of powers), its interval and how that was made."""

    value: float
    low: float | None
    high: float | None
    method: str
    n: int | None = None


def product_of_powers(estimates: Sequence[PositiveEstimate], powers: Sequence[float]) -> PositiveEstimate:
    """Interval of the product of v_i ** p_i for independent, positive estimates, by MOVER on the log scale.

    log P = sum p_i log v_i; its distance to the lower end is the root of the summed squares of each term's distance
    to its own lower end (to its upper end where p_i is negative), and likewise above.
    """
    center, below, above = 0.0, 0.0, 0.0
    for estimate, power in zip(estimates, powers, strict=True):
        if estimate.value <= 0:
            raise ValueError(f"a ratio needs positive values, got {estimate.value}")
        log = math.log(estimate.value)
        down = log - math.log(estimate.low) if estimate.low > 0 else math.inf
        up = math.log(estimate.high) - log if estimate.high < math.inf else math.inf
        if power < 0:
            down, up = up, down
        if power != 0:
            center += power * log
            below += (power * down) ** 2
            above += (power * up) ** 2
    return PositiveEstimate(math.exp(center), math.exp(center - math.sqrt(below)), math.exp(center + math.sqrt(above)))


def independent_ratio(numerator: PositiveEstimate, denominator: PositiveEstimate) -> Ratio:
    """Numerator over denominator, measured independently of each other; both have the same confidence."""
    result = product_of_powers([numerator, denominator], [1.0, -1.0])
    return Ratio(numerator.value / denominator.value, result.low, result.high, INDEPENDENT)


def paired_ratio_of_means(
    numerator: tuple[Floats, Floats], denominator: tuple[Floats, Floats], confidence: float = 0.95
) -> Ratio:
    """Ratio of two weighted means, (sum x / sum w) / (sum y / sum v), over the same documents.

    numerator: (x, w), denominator: (y, v), each of shape (documents,): a loss per token has the summed negative
    log-likelihood as x and the tokens as w. The documents are the clusters; the log of the ratio is linearized, t
    with n - 1 degrees of freedom.
    """
    (above, below) = (_mean_and_influence(*pair) for pair in (numerator, denominator))
    if above[0] <= 0 or below[0] <= 0:
        raise ValueError("a ratio of means needs positive means")
    influence = above[1] / above[0] - below[1] / below[0]
    return _from_log(math.log(above[0]) - math.log(below[0]), influence, confidence)


def paired_ratio_of_exponentials(
    numerator: tuple[Floats, Floats], denominator: tuple[Floats, Floats], confidence: float = 0.95
) -> Ratio:
    """Ratio of two perplexities, exp(sum x / sum w) / exp(sum y / sum v), over the same documents.

    Shapes as in `paired_ratio_of_means`. The log of the ratio is the difference of two ratio estimators, so nothing
    but the ratio estimator itself is linearized.
    """
    (above, below) = (_mean_and_influence(*pair) for pair in (numerator, denominator))
    return _from_log(above[0] - below[0], above[1] - below[1], confidence)


def _mean_and_influence(sums: Floats, weights: Floats) -> tuple[float, Floats]:
    """The ratio estimator sum x / sum w, and what each document adds to its deviation."""
    total = float(weights.sum())
    mean = float(sums.sum()) / total
    return mean, (sums - mean * weights) / total


def _from_log(log: float, influence: Floats, confidence: float) -> Ratio:
    from scipy.special import stdtrit

    n = len(influence)
    if n < 2:
        return Ratio(math.exp(log), None, None, "none: one document has no spread", n)
    error = math.sqrt(n / (n - 1) * float((influence**2).sum()))
    half = float(stdtrit(n - 1, 0.5 + confidence / 2)) * error
    return Ratio(
        math.exp(log), math.exp(log - half), math.exp(log + half), "paired by document (ratio estimator, t)", n
    )
