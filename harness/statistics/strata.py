"""The mean over strata that are not drawn but fixed: the tasks of a group.

Each stratum has an estimate with a standard error of its own; the strata are independent. The variance is sum w²·s²
with weights that sum to one (Cochran, Sampling Techniques, 3rd ed., section 5.4), the degrees of freedom are
Satterthwaite's (1946, Biometrics Bulletin 2:110).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from harness.statistics.intervals import Interval
from harness.statistics.proportions import score_interval


class Stratified(NamedTuple):
    """A weighted mean over strata."""

    value: float
    error: float
    """Its standard error."""
    degrees: float
    """Degrees of freedom; infinite where no stratum's error is an estimate."""


def stratified_mean(values: ArrayLike, errors: ArrayLike, weights: ArrayLike, degrees: ArrayLike) -> Stratified:
    """Combine strata; all arguments (strata,). ValueError for shapes that differ or weights that sum to nothing."""
    y, s, w, d = (np.asarray(x, dtype=np.float64) for x in (values, errors, weights, degrees))
    if not y.shape == s.shape == w.shape == d.shape or y.ndim != 1:
        raise ValueError("one value, error, weight and number of degrees of freedom per stratum is wanted")
    if w.sum() <= 0 or np.any(w < 0):
        raise ValueError("weights must be positive")
    w = w / w.sum()
    parts = (w * s) ** 2
    variance = float(parts.sum())
    spread = float((parts**2 / d).sum())
    return Stratified(float(w @ y), variance**0.5, variance**2 / spread if spread > 0 else np.inf)


def mean_interval(mean: Stratified, n: int, confidence: float = 0.95) -> Interval:
    """Student's t around a mean over strata."""
    half = _t(mean.degrees, confidence) * mean.error
    return Interval(mean.value, mean.value - half, mean.value + half, n)


def proportion_interval(mean: Stratified, n: int, confidence: float = 0.95) -> Interval:
    """Wilson's interval around a mean of proportions, with p(1-p) over its variance as the effective sample size.

    Strata may make that larger than n: what differs between tasks is no error of their mean. Where every stratum is all
    right or all wrong there is no variance to see, and n itself is taken.
    """
    effective = mean.value * (1 - mean.value) / mean.error**2 if mean.error > 0 else float(n)
    value = min(max(mean.value, 0.0), 1.0)
    low, high = score_interval(value, effective if effective > 0 else float(n), _t(mean.degrees, confidence))
    return Interval(mean.value, low, high, n)


def _t(degrees: float, confidence: float) -> float:
    from scipy.special import ndtri, stdtrit

    tail = 0.5 + confidence / 2
    return float(ndtri(tail) if np.isinf(degrees) else stdtrit(degrees, tail))
