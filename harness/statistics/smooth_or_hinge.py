"""Does a curve of means over scale break, or does a straight line tell it: for metrics that are no counts.

    line    z = a + b x
    hinge   z = a + b max(0, x - c), c between the second and the last but one scale, rising

x is the logarithm of the scale, z the metric on a scale of its own (the logit of a share, the logarithm of a loss),
turned so that higher is better. Errors of the scales are not independent (the same documents), so both are fitted by
generalized least squares. A curve that neither tells well is noisier than its documents say, by what no document knows
of (training, the shape itself): the gain is taken relative to what the hinge leaves, as in an F-test, and placed among
the gains of curves that are redrawn from the line (parametric bootstrap: a break has no place under the line).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

_BREAKS = 60


class HingeTest(NamedTuple):
    """Line against hinge."""

    gain: float
    """How much less chi-square the hinge leaves, over what it leaves per degree of freedom (at least 1)."""
    p_value: float
    at: float
    """x of the best break."""


def hinge_test(x: ArrayLike, z: ArrayLike, covariance: ArrayLike, replicates: int = 2000, seed: int = 0) -> HingeTest:
    """Test the line. x, z: (m,), x ascending; covariance: (m, m) of z. ValueError for fewer than four scales."""
    scales, values = np.asarray(x, dtype=np.float64), np.asarray(z, dtype=np.float64)
    m = len(scales)
    if m < 4:
        raise ValueError(f"a break needs at least four scales, not {m}")
    whiten = _whitening(np.asarray(covariance, dtype=np.float64))
    breaks = np.linspace(scales[1], scales[-2], _BREAKS)
    beyond = np.stack([scales, *(np.maximum(0, scales - c) for c in breaks)])
    # (1 + breaks, m, 2): the line first, then a hinge for each break
    designs = whiten @ np.stack([np.ones_like(beyond), beyond], axis=2)
    observed = whiten @ values
    fitted = designs[0] @ np.linalg.lstsq(designs[0], observed, rcond=None)[0]
    noise = np.sqrt(max(1.0, float(((observed - fitted) ** 2).sum()) / (m - 2)))
    redrawn = fitted + noise * np.random.default_rng(seed).standard_normal((replicates, m))
    gains, best = _gains(designs, np.concatenate([observed[None], redrawn]))
    p_value = (1 + int((gains[1:] >= gains[0]).sum())) / (1 + replicates)
    return HingeTest(float(gains[0]), p_value, float(breaks[best[0]]))


def _whitening(covariance: Floats) -> Floats:
    """W with W C W' = 1; directions without variance count as if they had a millionth of the largest."""
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray((vectors / np.sqrt(np.maximum(values, 1e-6 * max(values[-1], 1e-300)))).T, dtype=np.float64)


def _gains(designs: Floats, curves: Floats) -> tuple[Floats, NDArray[np.int64]]:
    """Of each curve (R, m) what the best rising hinge gains over the line, and which; -inf where none rises.

    In a design's orthonormal basis a fit is two coordinates: their squares are what it explains, and the second has
    the sign of the slope (up to the basis's own sign).
    """
    basis, triangle = np.linalg.qr(designs)  # (K, m, 2), (K, 2, 2)
    along = curves @ basis  # (K, R, 2)
    left = (curves**2).sum(axis=1) - (along**2).sum(axis=2)
    rises = along[1:, :, 1] * np.sign(triangle[1:, 1, 1])[:, None] > 0
    of_hinges = np.where(rises, left[1:], np.inf)
    best, least = of_hinges.argmin(axis=0), of_hinges.min(axis=0)
    with np.errstate(invalid="ignore"):
        gains = (left[0] - least) / np.maximum(1.0, least / (curves.shape[1] - 3))
    return np.where(np.isfinite(least), gains, -np.inf), best.astype(np.int64)
