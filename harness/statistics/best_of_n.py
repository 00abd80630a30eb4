"""What the best of n samples would score, from N samples that are there: no draw is wasted.

The expected true score of that one of n samples, drawn without replacement from the N, which a proxy likes best: sorted
by the proxy, the sample of rank i is the best of n with chance C(i - 1, n - 1) / C(N, n); samples of equal proxy share
theirs (the unbiased estimator of Nakano et al. 2021, WebGPT, appendix I, as used by Gao et al. 2022).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray


def best_of_n(proxy: ArrayLike, score: ArrayLike, n: int) -> float:
    """The expected score of the best by proxy of n out of these samples. ValueError for an n that isn't 1 to N."""
    by, value = np.asarray(proxy, dtype=np.float64), np.asarray(score, dtype=np.float64)
    if by.shape != value.shape or not 1 <= n <= len(by):
        raise ValueError(f"the best of {n} needs as many samples at least, and {len(by)} are there")
    order = np.argsort(by, kind="stable")
    weights = chances(len(by), n)
    by, value = by[order], value[order]
    _, group = np.unique(by, return_inverse=True)
    shared = np.bincount(group, weights) / np.bincount(group)
    return float((shared[group] * value).sum())


def chances(samples: int, n: int) -> NDArray[np.float64]:
    """Of each rank, the lowest first, the chance to be the best of n: they add up to 1."""
    ranks = np.arange(1, samples + 1)
    with np.errstate(divide="ignore"):
        logs = np.array([_log_binomial(int(rank) - 1, n - 1) for rank in ranks]) - _log_binomial(samples, n)
    return np.asarray(np.exp(logs), dtype=np.float64)


def divergence_bound(n: int) -> float:
    """log n - (n - 1) / n: KL(best of n || policy), in nats, where no two samples tie, and else an upper bound of it
    (Beirami et al. 2024, arXiv:2401.01879)."""
    return math.log(n) - (n - 1) / n


def _log_binomial(m: int, k: int) -> float:
    if k > m:
        return -math.inf
    return math.lgamma(m + 1) - math.lgamma(k + 1) - math.lgamma(m - k + 1)
