"""An exact test of paired differences: how often their sum is as large when chance decides each one's sign.

Where a change makes nothing worse, a document's difference is as likely to be +x as -x (or smaller values are
likelier), whatever its size is. Then all 2^n ways to choose the signs are equally likely, and the share of them whose
sum is at least the one that was seen is a p-value at every n, without a variance, a normal distribution or many
documents. It is never below 2^-n. Differences that are skewed about a mean of zero keep their level only as the t-test
does: roughly, and better with more documents.

Sources: Fisher 1935, The Design of Experiments, section 21; Efron 1969, JASA 64:1278 (symmetry); Phipson & Smyth 2010,
Statistical Applications in Genetics and Molecular Biology 9:39 (drawn signs: 1 is added to both counts).
"""

from __future__ import annotations

from math import floor, log2

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

ALL_SIGNS = 14
"""Up to so many differences every choice of signs is tried."""
DRAWS = 19_999
"""Choices of signs that are drawn beyond that."""
_AT_ONCE = 2_000_000
"""Signs that are held at once."""
_ROUNDING = 1e-12
"""Of the sum of sizes: sums that differ by less count as equal."""


def above_zero(differences: ArrayLike) -> float:
    """One-sided p-value of "symmetric about zero, or about less": small where the differences are above zero.

    differences: (n,), one per document or cluster. 1 where there are none, or all are zero. The draws are the same
    every time. ValueError for values that are not finite.
    """
    d = np.asarray(differences, dtype=np.float64)
    if d.ndim != 1 or not np.isfinite(d).all():
        raise ValueError("finite differences are wanted, one per document or cluster")
    d = d[d != 0]  # either sign is the same sum
    if len(d) == 0:
        return 1.0
    sizes = np.abs(d) / np.abs(d).max()
    seen = float((np.sign(d) * sizes).sum()) - _ROUNDING * float(sizes.sum())
    if len(d) <= ALL_SIGNS:
        signs = 1.0 - 2.0 * ((np.arange(2 ** len(d))[:, None] >> np.arange(len(d))) & 1)
        return float(np.mean(signs @ sizes >= seen))
    generator = np.random.default_rng(0)
    rows = max(1, _AT_ONCE // len(d))
    as_large = 0
    for start in range(0, DRAWS, rows):
        drawn = generator.integers(0, 2, size=(min(rows, DRAWS - start), len(d)), dtype=np.int8) * 2.0 - 1.0
        as_large += int((drawn @ sizes >= seen).sum())
    return (1 + as_large) / (1 + DRAWS)


def needed(alpha: float) -> int:
    """How many differences the test needs at least to reach a p-value of `alpha`, however large they are."""
    return max(1, floor(log2(1 / alpha)) + (0 if log2(1 / alpha).is_integer() else 1))
