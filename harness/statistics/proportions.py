"""Intervals of proportions: accuracies, shares of documents.

Wilson's score interval at every n. The textbook p ± z·sqrt(p(1-p)/n) covers far less than it says, also at large n and
away from 0 and 1, and it has no width at 0 and 1; Wilson's stays near its nominal coverage from n of a few on and
inside [0, 1]. Brown, Cai & DasGupta (2001, Statistical Science 16:101) recommend it, or Jeffreys', for n ≤ 40; for
larger n all that they recommend agree. Wilson's is taken because it carries over to clusters: there n is replaced by
an effective sample size and the normal quantile by Student's t (Dean & Pagano 2015, Journal of Survey Statistics and
Methodology 3:484; Korn & Graubard 1998, Survey Methodology 24:193).
"""

from __future__ import annotations

from math import sqrt
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harness.statistics.intervals import Interval


def wilson(successes: float, trials: float, confidence: float = 0.95) -> Interval:
    """Share of successes among independent trials. ValueError without trials, or with more successes than trials."""
    if trials <= 0 or not 0 <= successes <= trials:
        raise ValueError(f"{successes} successes in {trials} trials are no proportion")
    low, high = score_interval(successes / trials, trials, NormalDist().inv_cdf(0.5 + confidence / 2))
    return Interval(successes / trials, low, high, int(trials))


def clustered_proportion(successes: ArrayLike, trials: ArrayLike, confidence: float = 0.95) -> Interval:
    """Share of successes where the trials of a cluster (the questions on one passage) are not independent.

    successes, trials: (clusters,). The variance is that of the ratio estimator over clusters; p(1-p) over it is the
    effective sample size, which goes into Wilson's interval with the t quantile of clusters - 1 degrees of freedom. It
    is never taken larger than the number of trials: that clusters are more diverse than chance is noise.
    Where all trials agree there is no variance to see; then each cluster counts as one trial, as if its trials always
    agreed. One cluster has no interval.
    """
    from scipy.special import stdtrit

    y, x = _checked(successes, trials)
    clusters, total = len(x), float(x.sum())
    share = float(y.sum() / total)
    if clusters < 2:
        return Interval(share, None, None, clusters)
    if np.all(x == 1):
        return wilson(float(y.sum()), total, confidence)
    effective = effective_trials(y, x)
    low, high = score_interval(share, effective, float(stdtrit(clusters - 1, 0.5 + confidence / 2)))
    return Interval(share, low, high, clusters)


def effective_trials(successes: ArrayLike, trials: ArrayLike) -> float:
    """How many independent trials the trials of two clusters or more are worth, as `clustered_proportion` takes it."""
    y, x = _checked(successes, trials)
    clusters, total = len(x), float(x.sum())
    share = float(y.sum() / total)
    if not 0 < share < 1:
        return float(clusters)
    variance = clusters / (clusters - 1) * float(((y - share * x) ** 2).sum()) / total**2
    return min(total, share * (1 - share) / variance) if variance > 0 else total


def _checked(successes: ArrayLike, trials: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    y, x = np.asarray(successes, dtype=np.float64), np.asarray(trials, dtype=np.float64)
    if y.shape != x.shape or y.ndim != 1 or np.any(x <= 0) or np.any(y < 0) or np.any(y > x):
        raise ValueError("successes and trials of each cluster are wanted, 0 <= successes <= trials > 0")
    return y, x


def most_unseen(trials: int) -> float:
    """The share up to which so many trials show no success with a chance of 5 % or more: the rule of three, exact."""
    return float(1 - 0.05 ** (1 / trials))


def independent_difference(
    base: float, base_trials: float, head: float, head_trials: float, confidence: float = 0.95
) -> Interval:
    """head - base of two shares of independent trials: Newcombe's interval (1998, Statistics in Medicine 17:873, his
    method 10), Wilson's intervals of the two put together. n is the smaller number of trials.

    Two shares of the same documents are paired instead (`paired_proportions`): this is too wide for them as a rule.
    ValueError without trials, or for a share outside [0, 1].
    """
    if min(base_trials, head_trials) <= 0 or not (0 <= base <= 1 and 0 <= head <= 1):
        raise ValueError(f"{base} of {base_trials} and {head} of {head_trials} are no two shares of trials")
    quantile = NormalDist().inv_cdf(0.5 + confidence / 2)
    base_low, base_high = score_interval(base, base_trials, quantile)
    head_low, head_high = score_interval(head, head_trials, quantile)
    difference = head - base
    below = sqrt((head - head_low) ** 2 + (base_high - base) ** 2)
    above = sqrt((head_high - head) ** 2 + (base - base_low) ** 2)
    return Interval(difference, difference - below, difference + above, int(min(base_trials, head_trials)))


def score_interval(share: float, n: float, quantile: float) -> tuple[float, float]:
    """Wilson's interval of a share that is worth n independent trials: the p with |share - p| <= q·sqrt(p(1-p)/n)."""
    square = quantile * quantile / n
    center = (share + square / 2) / (1 + square)
    half = quantile / (1 + square) * sqrt(share * (1 - share) / n + square / (4 * n))
    # exactly 0 and 1 where the formula is, whatever the rounding
    return (0.0 if share == 0 else max(0.0, center - half)), (1.0 if share == 1 else min(1.0, center + half))
