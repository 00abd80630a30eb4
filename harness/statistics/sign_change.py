"""Where a difference turns from negative to positive along a scale: the bracket, the point, and how sure it is.

Whether there is such a place is decided by the intervals of the differences; where it lies, by linear interpolation in
the logarithm of the scale, with a percentile interval over draws. The interval may be open: a draw that is positive
everywhere has its change below the smallest scale.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Verdict = Literal["between", "none", "not identified"]


@dataclass(frozen=True)
class SignChange:
    """One answer; the scales are in the units that were given."""

    verdict: Verdict
    why: str
    """In words: where, or why nowhere."""
    below: float | None = None
    """The largest scale before the change."""
    above: float | None = None
    """The smallest scale after it."""
    at: float | None = None
    """Interpolated in the logarithm."""
    low: float | None = None
    """Of the interval of `at`; 0 where it may lie below the smallest scale."""
    high: float | None = None
    """Infinite where it may lie above the largest scale."""


def sign_change(
    scales: ArrayLike, differences: ArrayLike, lows: ArrayLike, highs: ArrayLike, draws: ArrayLike
) -> SignChange:
    """The scale from which on a difference stays positive.

    scales: (m,) ascending and positive. differences, lows, highs: (m,) with their intervals. draws: (replicates, m),
    the differences under other choices of the documents, for the interval of the place.

    between: the differences change their sign once, upwards (or those that are told from 0 do), and one above the
    change is told from 0. none: they are positive, or not, at every scale and one of them is told from 0. All else is
    not identified. ValueError for scales that don't ascend.
    """
    x, d, low, high = (np.asarray(values, dtype=np.float64) for values in (scales, differences, lows, highs))
    if np.any(np.diff(x) <= 0) or np.any(x <= 0):
        raise ValueError("positive scales in ascending order are wanted")
    if len(x) < 2:
        return SignChange("not identified", "one size has no sign change: at least two are needed")
    told = np.where(low > 0, 1, np.where(high < 0, -1, 0))
    positive = d > 0
    ups, downs = np.flatnonzero(told > 0), np.flatnonzero(told < 0)
    if not len(ups) and not len(downs):
        return SignChange("not identified", "the difference is told from 0 at no size")
    if len(ups) and len(downs) and ups[0] < downs[-1]:
        return SignChange("not identified", f"it is above 0 at {x[ups[0]]:.3g} and below 0 again at {x[downs[-1]]:.3g}")
    if positive.all():
        return SignChange("none", f"it is above 0 at every size: a change lies below {x[0]:.3g}, if anywhere")
    if not positive.any():
        return SignChange("none", f"it is above 0 at no size: a change lies above {x[-1]:.3g}, if anywhere")
    once = bool(np.all(np.diff(positive.astype(int)) >= 0))
    if not len(ups):
        return SignChange("not identified", "where it is above 0 it is not told from 0")
    if not once and not len(downs):
        return SignChange("not identified", "it changes its sign more than once, and no value below 0 is told from 0")
    below = int(np.flatnonzero(~positive)[-1]) if once else int(downs[-1])
    above = below + 1 if once else int(ups[0])
    places = _places(x, np.asarray(draws, dtype=np.float64))
    outer = float(np.quantile(places, 0.025, method="lower")), float(np.quantile(places, 0.975, method="higher"))
    why = f"between {x[below]:.3g} and {x[above]:.3g}"
    if not len(downs):
        why += f"; the values below are not told from 0, so it may also lie below {x[0]:.3g}"
    point = _places(x, d[None])[0] if once else float(np.sqrt(x[below] * x[above]))
    return SignChange("between", why, float(x[below]), float(x[above]), float(point), *outer)


def _places(scales: Floats, draws: Floats) -> Floats:
    """Of each draw (replicates, m) the place after its last value that is not positive: 0 where there is none,
    infinite where that is the last one."""
    log = np.log(scales)
    m = len(scales)
    last = m - 1 - np.argmax(draws[:, ::-1] <= 0, axis=1)
    none = np.all(draws > 0, axis=1)
    inside = ~none & (last < m - 1)
    places = np.where(none, 0.0, np.inf)
    rows = np.flatnonzero(inside)
    before = last[rows]
    left, right = draws[rows, before], draws[rows, before + 1]
    places[rows] = np.exp(log[before] + (log[before + 1] - log[before]) * left / (left - right))
    return places
