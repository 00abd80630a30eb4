"""A series without what lasts shorter than a change: each value brought near to its neighborhood."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_WIDTH = 3.0
"""Values farther than so many standard deviations from their neighborhood are brought to there."""
_BY_MEDIAN = 1.4826
"""The standard deviation of normal values over the median of their absolute values."""
_BY_MEAN = 1.2533
"""The same over their mean."""


def without_spikes(values: Floats, shortest: int) -> Floats:
    """The values, each within three robust standard deviations of its neighborhood's median.

    A neighborhood is the `shortest` - 1 values on both sides and the value itself (at an end of the series as many
    values, the outermost ones). Where all segments have at least `shortest` values, a value's own segment has the
    majority in its neighborhood, so steps stay where they are; what is shorter has it nowhere. The standard deviation
    is by the median of the distances from those medians, or by their mean where most values equal their neighbors.

    Spikes keep three standard deviations: where they are dropped altogether, skewed noise and noise of two modes lose
    their rarer values in some places and not in others, and that is called a step.

    values: (n,), finite, n >= 1. Returns (n,). (Hampel's filter: Davies & Gather 1993, JASA 88:782.)
    """
    n, width = len(values), min(2 * shortest - 1, len(values))
    starts = np.clip(np.arange(n) - width // 2, 0, n - width)
    medians = np.median(np.lib.stride_tricks.sliding_window_view(values, width), axis=1)[starts]
    away = values - medians
    most = _WIDTH * float(_BY_MEDIAN * np.median(np.abs(away)) or _BY_MEAN * np.mean(np.abs(away)))
    near: Floats = np.clip(values, medians - most, medians + most)
    return near
