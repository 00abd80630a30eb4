"""BIG-bench's breakthroughness and linearity of a curve of scores, and what binomial noise alone makes of them.

For scores y_1 .. y_m in the order of scale, d_i = y_(i+1) - y_i and I = sign(argmax - argmin) * (max - min):

    linearity        L = I / (m - 1) / sqrt(mean d^2)
    breakthroughness B = I / sqrt(median d^2)

Sources: Srivastava et al. 2022, arXiv:2206.04615, appendix B; B is the "emergence score" of Schaeffer et al. 2023,
arXiv:2304.15004. The normalization of L is such that a straight line has 1.

Neither knows how many items a score rests on: noise around a flat line has B of 3 in the middle and 6 to 7 at its
95 % quantile, and B is infinite whenever half of the differences are 0, as they are with few items. Never read B
without the null quantile beside it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


class Breakthroughness(NamedTuple):
    """B and L of a curve, with what they are on a flat line with binomial noise at the same n."""

    breakthroughness: float
    """Infinite where the middle difference is 0 and the curve is not flat; 0 where all scores are equal."""
    linearity: float
    null_breakthroughness: float
    """The quantile (usually 95 %) of B under the flat line; infinite where more noise than that is infinite."""
    null_linearity: float
    p_breakthroughness: float
    """The share of flat curves with a B at least as large."""
    p_linearity: float
    null_infinite: float
    """The share of flat curves whose B is infinite, of either sign."""


def breakthroughness(scores: ArrayLike) -> Floats:
    """B of each curve. scores: (..., scales), by scale. Returns (...)."""
    y = _curves(scores)
    middle = np.sqrt(np.median(np.diff(y, axis=-1) ** 2, axis=-1))
    return _over(_range(y), middle)


def linearity(scores: ArrayLike) -> Floats:
    """L of each curve. scores: (..., scales), by scale. Returns (...), within [-1, 1] for monotone curves."""
    y = _curves(scores)
    rms = np.sqrt(np.mean(np.diff(y, axis=-1) ** 2, axis=-1))
    return np.asarray(_over(_range(y), rms) / (y.shape[-1] - 1), dtype=np.float64)


def null_calibrated(
    correct: ArrayLike, n: ArrayLike, replicates: int = 1000, quantile: float = 0.95, seed: int = 0
) -> Breakthroughness:
    """B and L of counts, beside their quantiles under a flat line at the pooled share with these n.

    correct, n: (scales,). The p-values count the observed curve as one of the replicates.
    """
    y, trials = np.asarray(correct, dtype=np.float64), np.asarray(n, dtype=np.float64)
    generator = np.random.default_rng(seed)
    whole = np.maximum(1, np.rint(trials)).astype(np.int64)
    null = generator.binomial(whole, min(1.0, y.sum() / trials.sum()), (replicates, len(y))) / whole
    b, line = float(breakthroughness(y / trials)), float(linearity(y / trials))
    null_b, null_l = breakthroughness(null), linearity(null)
    return Breakthroughness(
        b,
        line,
        float(np.quantile(null_b, quantile, method="higher")),
        float(np.quantile(null_l, quantile, method="higher")),
        (1 + int((null_b >= b).sum())) / (replicates + 1),
        (1 + int((null_l >= line).sum())) / (replicates + 1),
        float(np.isinf(null_b).mean()),
    )


def _curves(scores: ArrayLike) -> Floats:
    y = np.asarray(scores, dtype=np.float64)
    if y.ndim < 1 or y.shape[-1] < 2:
        raise ValueError("a curve needs at least two scales")
    return y


def _range(y: Floats) -> Floats:
    sign = np.sign(np.argmax(y, axis=-1) - np.argmin(y, axis=-1))
    return np.asarray(sign * (y.max(axis=-1) - y.min(axis=-1)), dtype=np.float64)


def _over(numerator: Floats, denominator: Floats) -> Floats:
    """The ratio; 0 / 0 is 0 (a flat curve shows nothing), x / 0 is infinite with the sign of x."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = numerator / denominator
    return np.asarray(np.where(numerator == 0, 0.0, ratio), dtype=np.float64)
