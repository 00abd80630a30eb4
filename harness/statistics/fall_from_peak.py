"""Whether a curve falls after its peak: the peak is chosen on half of the units, the fall is tested on the other half.

The highest of several noisy means is too high by chance, and what comes after it is then lower by chance alone. Chosen
on other units than it is tested on, the peak is a point like any other, and a curve that only rises shows no fall.
Source of the split: Cox 1975, Biometrika 62:441 (a note on data-splitting for the evaluation of significance levels).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.statistics.intervals import Interval, ratio_of_sums

LEAST = 8
"""Units that can be halved and tested."""


@dataclass(frozen=True)
class Fall:
    """From the peak of a curve to its end."""

    peak: int
    """Column of the highest mean of the first half."""
    fall: Interval
    """Mean of peak - end over the second half, Student's t; exactly 0 where the peak is the end."""
    p: float
    """Two-sided, of no difference; 1 where the peak is the end."""
    error: float
    """Standard error of the fall; where the peak is the end, of that from the highest point before it."""
    tested: NDArray[np.bool_]
    """(units,) which are in the second half."""

    def smallest(self, level: float = 0.05, power: float = 0.8) -> float:
        """The smallest true fall that a test at this two-sided level finds with this probability: (t quantile of the
        level + that of the power) standard errors."""
        from scipy.special import stdtrit

        degrees = int(self.tested.sum()) - 1
        return float((stdtrit(degrees, 1 - level / 2) + stdtrit(degrees, power)) * self.error)


def halves(units: int, seed: int = 0) -> NDArray[np.bool_]:
    """Which of the units test; the others choose. The same for the same number and seed. (units,)"""
    chosen = np.zeros(units, dtype=bool)
    chosen[np.random.default_rng(seed).permutation(units)[units // 2 :]] = True
    return chosen


def fall_from_peak(scores: NDArray[np.float64], seed: int = 0) -> Fall:
    """scores: (units, points) along the curve, its end last. ValueError for fewer than 8 units, fewer than 2 points, or
    a score that is no number."""
    if scores.ndim != 2 or scores.shape[0] < LEAST or scores.shape[1] < 2 or not np.isfinite(scores).all():
        raise ValueError(f"a fall needs {LEAST} units, 2 points of each and finite scores, not {scores.shape}")
    tested = halves(len(scores), seed)
    means = scores[~tested].mean(axis=0)
    peak, end = int(means.argmax()), scores.shape[1] - 1
    shown = peak if peak != end else int(means[:-1].argmax())
    differences = scores[tested, shown] - scores[tested, end]
    error = float(differences.std(ddof=1) / np.sqrt(len(differences)))
    if peak == end:
        return Fall(peak, Interval(0.0, None, None, len(differences)), 1.0, error, tested)
    return Fall(
        peak, ratio_of_sums(differences, np.ones(len(differences))), _p_value(differences, error), error, tested
    )


def _p_value(differences: NDArray[np.float64], error: float) -> float:
    from scipy.special import stdtr

    mean = float(differences.mean())
    if error == 0:
        return 1.0 if mean == 0 else 0.0
    return float(2 * stdtr(len(differences) - 1, -abs(mean) / error))
