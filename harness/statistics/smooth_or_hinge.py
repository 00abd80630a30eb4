"""Does a curve of means over scale break, or does a straight line tell it: for metrics that are no counts.

    line    z = a + b x
    hinge   z = a + b max(0, x - c), c between the second and the last but one scale, rising

x is the logarithm of the scale, z the metric on a scale of its own (the logit of a share, the logarithm of a loss),
turned so that higher is better. Errors of the scales are not independent (the same documents), so both are fitted by
generalised least squares. A curve that neither tells well is noisier than its documents say, by what no document knows
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
    line = whiten @ np.stack([np.ones(m), scales], axis=1)
    breaks = np.linspace(scales[1], scales[-2], _BREAKS)
    hinges = [whiten @ np.stack([np.ones(m), np.maximum(0, scales - c)], axis=1) for c in breaks]
    observed = whiten @ values
    left = _left(line, observed[None])[0]
    noise = np.sqrt(max(1.0, left / (m - 2)))
    fitted = line @ np.linalg.lstsq(line, observed, rcond=None)[0]
    redrawn = fitted + noise * np.random.default_rng(seed).standard_normal((replicates, m))
    gains, best = _gains(line, hinges, np.concatenate([observed[None], redrawn]), m)
    p_value = (1 + int((gains[1:] >= gains[0]).sum())) / (1 + replicates)
    return HingeTest(float(gains[0]), p_value, float(breaks[best[0]]))


def _whitening(covariance: Floats) -> Floats:
    """W with W C W' = 1; directions without variance count as if they had a millionth of the largest."""
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray((vectors / np.sqrt(np.maximum(values, 1e-6 * max(values[-1], 1e-300)))).T, dtype=np.float64)


def _left(design: Floats, curves: Floats) -> Floats:
    """Squares that are left of each curve (R, m). (R,)"""
    basis, _ = np.linalg.qr(design)
    return np.asarray((curves**2).sum(axis=1) - ((curves @ basis) ** 2).sum(axis=1), dtype=np.float64)


def _gains(line: Floats, hinges: list[Floats], curves: Floats, m: int) -> tuple[Floats, NDArray[np.int64]]:
    of_line = _left(line, curves)
    of_hinges = []
    for design in hinges:
        slopes = np.linalg.lstsq(design, curves.T, rcond=None)[0][1]
        of_hinges.append(np.where(slopes > 0, _left(design, curves), np.inf))
    table = np.stack(of_hinges)
    best = table.argmin(axis=0)
    least = table.min(axis=0)
    falls = ~np.isfinite(least)  # no hinge rises
    least[falls] = of_line[falls]
    gains = np.where(falls, -np.inf, (of_line - least) / np.maximum(1.0, least / (m - 3)))
    return gains, best.astype(np.int64)
