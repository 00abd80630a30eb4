"""Exact match as a power of token accuracy: P(all K tokens right) = q^K if each is right for itself.

log accuracy is then linear in the length of the answer (Schaeffer et al. 2023, arXiv:2304.15004, section 3). The q that
right and wrong answers imply is told apart from the token accuracy that was measured.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import chdtrc, xlog1py, xlogy

Floats = NDArray[np.float64]


class Implied(NamedTuple):
    """The token accuracy that exact match implies."""

    q: float
    low: float
    """Of the 95 % interval: the likelihood's drop of 1.92."""
    high: float
    misfit_p: float | None
    """Of the chi-square test that log accuracy is linear in length; None where the lengths can't tell."""


def implied_token_accuracy(right: ArrayLike, lengths: ArrayLike) -> Implied:
    """The q that makes right answers likeliest if P(right) = q^K. right: (n,) 0 or 1; lengths: (n,) tokens, K >= 1.

    The test of the shape compares the right answers of every length with n q^K (Pearson), lengths with fewer than five
    expected of either kind put together with the next; it needs two groups at least. ValueError for no answers.
    """
    y, k = np.asarray(right, dtype=np.float64), np.asarray(lengths, dtype=np.float64)
    if len(y) == 0 or y.shape != k.shape or np.any(k < 1) or np.any((y != 0) & (y != 1)):
        raise ValueError("right or wrong and a length of at least 1 is wanted for every answer")
    values, places = np.unique(k, return_inverse=True)
    n: Floats = np.bincount(places).astype(np.float64)
    correct: Floats = np.bincount(places, weights=y).astype(np.float64)
    grid = np.concatenate([[0.0], np.geomspace(1e-6, 1.0, 4000)[:-1], 1 - np.geomspace(1e-9, 0.3, 4000), [1.0]])
    grid = np.unique(grid)
    p = grid[:, None] ** values
    with np.errstate(divide="ignore", invalid="ignore"):
        likelihood = (xlogy(correct, p) + xlog1py(n - correct, -p)).sum(axis=1)
    likelihood = np.where(np.isnan(likelihood), -np.inf, likelihood)
    best = int(likelihood.argmax())
    kept = grid[likelihood >= likelihood[best] - 1.920729]
    return Implied(float(grid[best]), float(kept[0]), float(kept[-1]), _misfit(correct, n, grid[best] ** values))


def _misfit(correct: Floats, n: Floats, p: Floats) -> float | None:
    groups: list[tuple[float, float, float]] = []
    seen = np.zeros(3)
    for one in zip(correct, n, n * p, strict=True):
        seen = seen + np.array(one)
        if min(seen[2], seen[1] - seen[2]) >= 5:
            groups.append((float(seen[0]), float(seen[1]), float(seen[2])))
            seen = np.zeros(3)
    if len(groups) < 2:
        return None
    square = sum((y - e) ** 2 / e + (y - e) ** 2 / (t - e) for y, t, e in groups)
    return float(chdtrc(len(groups) - 1, square))


def all_right(token_accuracy: float, lengths: ArrayLike) -> float:
    """The exact match that a token accuracy predicts: mean of p^K over answers of these lengths."""
    return float(np.mean(token_accuracy ** np.asarray(lengths, dtype=np.float64)))
