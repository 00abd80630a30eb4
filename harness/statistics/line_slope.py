"""The slope of a least-squares line: its weights, its interval by the points' scatter, and whether there is a line."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def slope_weights(x: Floats) -> Floats:
    """w with w @ y = the slope of y over x, for every y. x: (m,), two different values at least."""
    centered = x - x.mean()
    weights: Floats = centered / (centered @ centered)
    return weights


def slope_by_scatter(x: Floats, y: Floats, confidence: float = 0.95) -> tuple[float, float]:
    """Interval of the slope: Student's t with m - 2 degrees of freedom on the scatter around the line.

    What moves the points off the line is in it, whatever it is, as far as so few points can show. ValueError for fewer
    than three points.
    """
    from scipy.special import stdtrit

    freedom = len(x) - 2
    if freedom < 1:
        raise ValueError(f"{len(x)} points have no scatter around a line: at least three are needed")
    weights = slope_weights(x)
    slope = float(weights @ y)
    residual = y - y.mean() - slope * (x - x.mean())
    half = float(stdtrit(freedom, 0.5 + confidence / 2) * np.sqrt(residual @ residual / freedom * (weights @ weights)))
    return slope - half, slope + half


def line_misfit(x: Floats, y: Floats, influences: Floats) -> float | None:
    """p-value of: y lies on a line over x but for the choice of the documents (chi-square).

    x, y: (m,); influences: (units, m) of y. None where m points or so few units can't tell.
    """
    from scipy.special import chdtrc

    m = len(x)
    if m < 3 or len(influences) <= m:
        return None
    design = np.stack([np.ones(m), x], axis=1)
    leave = np.eye(m) - design @ np.linalg.pinv(design)
    values, vectors = np.linalg.eigh(leave @ (influences.T @ influences) @ leave)
    kept = values > 1e-9 * max(float(values[-1]), 1e-300)
    if not kept.any():
        return None
    misfit = vectors[:, kept].T @ (leave @ y)
    return float(chdtrc(int(kept.sum()), float((misfit**2 / values[kept]).sum())))
