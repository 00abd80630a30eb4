"""Intervals: how far a number may be from what it estimates.

Each function takes plain arrays of the units that are independent (documents, launches) and returns an `Interval`.
Nothing here guesses what the unit is: pooling tokens or iterations as if they were independent is the caller's
mistake to avoid (iterations of one process correlate at about .9 on a shared machine).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray


class Interval(NamedTuple):
    """A value with the two ends of its interval; the ends are None where the data cannot give them."""

    value: float
    low: float | None
    high: float | None
    n: int
    """How many independent units it rests on."""


def ratio_of_sums(numerator: ArrayLike, denominator: ArrayLike, confidence: float = 0.95) -> Interval:
    """Sum of `numerator` over sum of `denominator`, with clusters (documents) as the unit.

    The ratio estimator R = Σy/Σx with its linearised variance s² = n/(n-1) · Σ(y - R·x)² / (Σx)² and Student's t with
    n - 1 degrees of freedom (Cochran, Sampling Techniques, 3rd ed., section 6.4; the same as a cluster-robust
    error with the n/(n-1) correction).

    numerator, denominator: (n,) one entry per cluster, such as summed NLL and number of tokens.
    One cluster has a value and no interval. ValueError if the shapes differ or the denominator sums to nothing.
    """
    y, x = _vector(numerator), _vector(denominator)
    if y.shape != x.shape:
        raise ValueError(f"{len(y)} numerators and {len(x)} denominators: one of each per cluster")
    if x.sum() <= 0:
        raise ValueError("the denominators sum to nothing, so there is no ratio")
    n = len(y)
    ratio = float(y.sum() / x.sum())
    if n < 2:
        return Interval(ratio, None, None, n)
    residual = y - ratio * x
    error = float(np.sqrt(n / (n - 1) * np.sum(residual**2)) / x.sum())
    half = _t_quantile(confidence, n - 1) * error
    return Interval(ratio, ratio - half, ratio + half, n)


def geometric_mean(values: ArrayLike, confidence: float = 0.95) -> Interval:
    """Geometric mean of positive values, with Student's t on their logarithms.

    For durations and rates, whose errors are factors: the interval of 1/x is then the inverse of the interval of x.
    values: (n,), such as one median per launch. One value has no interval. ValueError unless all are positive.
    """
    x = _vector(values)
    if len(x) == 0 or np.any(x <= 0):
        raise ValueError("a geometric mean needs values, all of them positive")
    logs = np.log(x)
    center = float(logs.mean())
    if len(x) < 2:
        return Interval(float(np.exp(center)), None, None, len(x))
    half = _t_quantile(confidence, len(x) - 1) * float(logs.std(ddof=1)) / float(np.sqrt(len(x)))
    return Interval(float(np.exp(center)), float(np.exp(center - half)), float(np.exp(center + half)), len(x))


def median(values: ArrayLike, confidence: float = 0.95) -> Interval:
    """Sample median with its distribution-free order-statistic interval.

    The interval (x_(k), x_(n+1-k)), with the largest k for which P(Binomial(n, 1/2) < k) ≤ (1 - confidence)/2, covers
    the median at least `confidence` of the time whatever the distribution (David & Nagaraja, Order Statistics, 3rd
    ed., section 7.1). At 95 % it needs n ≥ 6; fewer values give no interval. ValueError if there are none.
    """
    from scipy.stats import binom

    x = np.sort(_vector(values))
    n = len(x)
    if n == 0:
        raise ValueError("no values, so there is no median")
    center = float(np.median(x))
    tail = (1 - confidence) / 2
    ranks = np.arange(1, n // 2 + 1)
    allowed = ranks[binom.cdf(ranks - 1, n, 0.5) <= tail]
    if len(allowed) == 0:
        return Interval(center, None, None, n)
    k = int(allowed[-1])
    return Interval(center, float(x[k - 1]), float(x[n - k]), n)


def jackknife(value: float, without: ArrayLike, confidence: float = 0.95) -> Interval:
    """A statistic of all units, with the interval that leaving out one unit at a time gives.

    Variance (n - 1)/n · Σ(θ_i - mean θ)² (Efron & Tibshirani 1993, equation 11.5) and Student's t with n - 1 degrees of
    freedom. For smooth statistics that are no mean over the units.
    value: of all units. without: (n,), entry i of all but unit i. One unit has no interval.
    """
    x = _vector(without)
    n = len(x)
    if n < 2:
        return Interval(value, None, None, n)
    half = _t_quantile(confidence, n - 1) * float(np.sqrt((n - 1) / n * np.sum((x - x.mean()) ** 2)))
    return Interval(value, value - half, value + half, n)


def _vector(values: ArrayLike) -> NDArray[np.float64]:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1:
        raise ValueError(f"one value per unit is wanted, not an array of shape {array.shape}")
    return array


def _t_quantile(confidence: float, degrees: int) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(degrees, 0.5 + confidence / 2))
