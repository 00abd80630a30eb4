"""What each document does to a statistic, and the interval that follows from it.

A mean, a ratio of sums, a slope through such means: each deviates by a sum of what its documents add, their influences,
so the squares of these make its variance. Documents of one cluster are not independent and are added up first. What
several statistics share (a document that is hard for all of them) is in the influences too: add or subtract them by
document, and a difference or a slope is paired.
Source: Cochran, Sampling Techniques, 3rd ed., section 6.4 (the ratio estimator, linearised).
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

from harness.statistics.intervals import Interval

Floats = NDArray[np.float64]


def ratio_influences(sums: Floats, weights: Floats) -> Floats:
    """What each document adds to the deviation of the sum of `sums` over that of `weights`: both (documents, …)."""
    total = weights.sum(axis=0)
    return np.asarray((sums - sums.sum(axis=0) / total * weights) / total, dtype=np.float64)


def by_cluster(values: Floats, clusters: Sequence[Hashable]) -> Floats:
    """Sums of `values` (documents, …) over the documents of each cluster: (clusters, …), in order of appearance."""
    places: dict[Hashable, int] = {}
    index = [places.setdefault(cluster, len(places)) for cluster in clusters]
    sums = np.zeros((len(places), *values.shape[1:]))
    np.add.at(sums, index, values)
    return sums


def covariance(rows: Floats) -> Floats:
    """Of m statistics by their influences (units, m), corrected by units / (units - 1): (m, m); nan of one unit."""
    units = len(rows)
    found: Floats = rows.T @ rows * (units / (units - 1) if units > 1 else np.nan)
    return found


def t_interval(value: float, influences: Floats, confidence: float = 0.95) -> Interval:
    """Student's t for a statistic with these influences (units,). One unit has no interval."""
    from scipy.special import stdtrit

    units = len(influences)
    if units < 2:
        return Interval(value, None, None, units)
    error = float(np.sqrt(units / (units - 1) * (influences**2).sum()))
    half = float(stdtrit(units - 1, 0.5 + confidence / 2)) * error
    return Interval(value, value - half, value + half, units)
