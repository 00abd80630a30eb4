"""Shares of successes whose trials are no independent evidence within a cluster: a prompt, or an opening of dialogs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from harness.statistics.influence import by_cluster
from harness.statistics.intervals import Interval, ratio_of_sums
from harness.statistics.proportions import clustered_proportion

Floats = NDArray[np.float64]


def share(clusters: Sequence[str], successes: Floats) -> Interval:
    """A share of successes, halves (ties) among them. With halves the interval is that of a mean, which knows that ties
    scatter less; where all are ties there is none."""
    hits, trials = sums_and_counts(clusters, successes)
    if not np.any(successes == 0.5):
        return clustered_proportion(hits, trials)
    value, low, high, n = ratio_of_sums(hits, trials)
    if low is None or high is None or np.all(successes == 0.5):
        return Interval(value, None, None, n)
    return Interval(value, max(low, 0.0), min(high, 1.0), n)


def sums_and_counts(clusters: Sequence[str], values: Floats) -> tuple[Floats, Floats]:
    """Sums of values and their number, of each cluster."""
    return by_cluster(values, clusters), by_cluster(np.ones(len(values)), clusters)
