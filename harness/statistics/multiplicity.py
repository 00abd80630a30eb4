"""Many tests at once: how much evidence each has to show, so that all together keep their level."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def e_bonferroni(log_evidence: ArrayLike, alpha: float) -> NDArray[np.bool_]:
    """Which of K tests are rejected where the chance of any false rejection is to be at most alpha: E >= K/alpha.

    log_evidence: (tests,) logarithms of e-values, however they depend on each other (Vovk & Wang 2021, Annals of
    Statistics 49:1736: the mean of e-values is an e-value).
    """
    logs = np.asarray(log_evidence, dtype=np.float64)
    return np.asarray(logs >= np.log(max(len(logs), 1) / alpha))


def benjamini_hochberg(p_values: ArrayLike) -> Floats:
    """The q-value of each test: the smallest false discovery rate at which it is found.

    p_values: (tests,). q_(i) = min over j >= i of p_(j) * m / j (Benjamini & Hochberg 1995, JRSS B 57:289). It holds
    for independent tests and for those that depend positively on each other (Benjamini & Yekutieli 2001, Annals of
    Statistics 29:1165). ValueError for values that are no p-values.
    """
    p = np.asarray(p_values, dtype=np.float64)
    if p.ndim != 1 or np.any(~((p >= 0) & (p <= 1))):
        raise ValueError("p-values between 0 and 1 are wanted")
    order = np.argsort(p)[::-1]
    m = len(p)
    q = np.empty(m)
    q[order] = np.minimum.accumulate(p[order] * m / np.arange(m, 0, -1))
    return np.minimum(q, 1.0)


def holm(p_values: ArrayLike, tests: int | None = None) -> Floats:
    """The adjusted p-value of each test: below alpha, it is rejected where the chance of any false rejection is to be
    at most alpha, however the tests depend on each other.

    p_values: (tests,). Adjusted p_(i) = max over j <= i of min(1, (m - j + 1) p_(j)) (Holm 1979, Scandinavian Journal
    of Statistics 6:65). tests: m, where there were more of them than are given; the others count as the largest.
    ValueError for values that are no p-values, and for fewer tests than values.
    """
    p = np.asarray(p_values, dtype=np.float64)
    m = len(p) if tests is None else tests
    if p.ndim != 1 or np.any(~((p >= 0) & (p <= 1))) or m < len(p):
        raise ValueError("p-values between 0 and 1 are wanted, and no fewer tests than they are")
    order = np.argsort(p)
    adjusted = np.empty(len(p))
    adjusted[order] = np.maximum.accumulate(np.minimum((m - np.arange(len(p))) * p[order], 1.0))
    return adjusted
