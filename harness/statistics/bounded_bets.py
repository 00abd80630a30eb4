"""Evidence about the mean of bounded values, such as paired differences of scores: what betting on it would have won.

Against "the mean is at most m" of values in [low, high], a gambler who stakes the share r of the wealth on each value
has

    product of 1 + r * (x - m),   0 <= r < 1 / (m - low)

which has an expectation of at most 1 where the null holds: an e-value, whatever the values' distribution is, and one
that may be looked at after each document. The mean over several stakes is one too, and does not depend on the order of
the documents, so that the same documents always say the same. Source: Waudby-Smith & Ramdas 2024, Estimating means of
bounded random variables by betting, JRSS B 86:1 (their diversified bets over a grid).
"""

from __future__ import annotations

from math import log

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harness.statistics.intervals import Interval

Floats = NDArray[np.float64]

STAKES = tuple(float(share) for share in np.geomspace(0.005, 0.95, 24))
"""Shares of the largest stake that is allowed: small ones serve many documents and small differences."""
_HALVINGS = 50


def mean_above(values: ArrayLike, null: float, low: float, high: float) -> Floats:
    """Logarithm of the e-process against "the mean is at most `null`", after each value.

    values: (n,) in [low, high], independent or each with a conditional mean of at most `null`. ValueError for values
    outside, or a null that is no mean of such values.
    """
    x = np.asarray(values, dtype=np.float64)
    if x.ndim != 1 or np.any(~np.isfinite(x)) or np.any(x < low) or np.any(x > high):
        raise ValueError(f"values between {low} and {high} are wanted")
    if not low <= null <= high:
        raise ValueError(f"{null} is no mean of values between {low} and {high}")
    if null == low:  # any value above it would do; the largest stake has no bound
        return np.where(np.maximum.accumulate(x) > low, np.inf, 0.0) if len(x) else x
    stakes = np.asarray(STAKES) / (null - low)
    wealth = np.cumsum(np.log1p(stakes * (x[:, None] - null)), axis=0)
    return np.asarray(np.logaddexp.reduce(wealth, axis=1) - log(len(STAKES)), dtype=np.float64)


def not_worse(differences: ArrayLike, margin: float, most: float = 1.0) -> Floats:
    """Logarithm of the e-process against "worse by `margin` or more" (non-inferiority), after each document.

    differences: (documents,) score of the head less that of the base, higher is better, in [-most, most]; where
    documents are not independent, one mean per cluster. 0 < margin < most.
    """
    if not 0 < margin < most:
        raise ValueError(f"a margin between 0 and {most} is wanted, not {margin}")
    return mean_above(differences, -margin, -most, most)


def worse(differences: ArrayLike, most: float = 1.0) -> Floats:
    """Logarithm of the e-process against "not worse", after each document; arguments as for `not_worse`."""
    return mean_above(-np.asarray(differences, dtype=np.float64), 0.0, -most, most)


def bounded_mean(values: ArrayLike, low: float, high: float, confidence: float = 0.95) -> Interval:
    """The mean with the interval of all means against which no bet has ever won enough: exact for bounded values at
    every n, and wherever one stops. Each end is tested at half of what `confidence` leaves. ValueError without
    values."""
    x = np.asarray(values, dtype=np.float64)
    if len(x) == 0:
        raise ValueError("no values, so there is no mean")
    wanted = log(2 / (1 - confidence))
    ends = _lowest(x, low, high, wanted), -_lowest(-x, -high, -low, wanted)
    return Interval(float(x.mean()), *ends, len(x))


def _lowest(x: Floats, low: float, high: float, wanted: float) -> float:
    """The smallest mean that is not rejected."""

    def is_rejected(mean: float) -> bool:
        return bool(np.max(mean_above(x, mean, low, high), initial=0.0) >= wanted)

    rejected, kept = low, float(x.mean())
    for _ in range(_HALVINGS):
        middle = (rejected + kept) / 2
        rejected, kept = (middle, kept) if is_rejected(middle) else (rejected, middle)
    return rejected
