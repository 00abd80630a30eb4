"""Expected calibration error of probabilities, with an interval over clusters.

Guo et al. 2017 (arXiv:1706.04599, section 2): bins of equal width by confidence, the mean over all answers of the
distance between accuracy and confidence of their bin. Of few answers it is biased upwards, and so are its bootstrap
draws: compare models on equally many.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harness.statistics.influence import by_cluster
from harness.statistics.intervals import Interval

BINS = 10
REPLICATES = 1000
Floats = NDArray[np.float64]


def calibration_rows(confidence: ArrayLike, right: ArrayLike, low: float = 0.0) -> Floats:
    """(answers, 3 · bins), which per bin count the answer and hold its confidence and whether it is right. low: the
    least confidence that can be."""
    sure, correct = np.asarray(confidence, dtype=np.float64), np.asarray(right, dtype=np.float64)
    bins = np.minimum(((sure - low) / (1 - low) * BINS).astype(np.int64).clip(0), BINS - 1)
    rows = np.zeros((len(sure), 3, BINS))
    rows[np.arange(len(sure)), :, bins] = np.stack([np.ones(len(sure)), sure, correct], axis=1)
    return rows.reshape(len(sure), -1)


def error_of_sums(sums: Floats) -> Floats:
    """The expected calibration error of sums of `calibration_rows`, (…, 3 · bins)."""
    counts, confidence, right = np.moveaxis(sums.reshape(*sums.shape[:-1], 3, BINS), -2, 0)
    return np.asarray(np.abs(confidence - right).sum(-1) / counts.sum(-1), dtype=np.float64)


def calibration_error(
    confidence: ArrayLike, right: ArrayLike, clusters: Sequence[Hashable], *, low: float = 0.0
) -> Interval:
    """ECE. confidence, right: (answers,), each between 0 and 1, the least confidence that can be being `low`. clusters:
    of each answer what makes it depend on others; whole clusters are drawn (percentile bootstrap, 95 %). ValueError
    without an answer. One cluster has no interval."""
    sure, correct = np.asarray(confidence, dtype=np.float64), np.asarray(right, dtype=np.float64)
    if not len(sure) or sure.shape != correct.shape or len(clusters) != len(sure):
        raise ValueError("calibration needs an answer at least, and of each its confidence, correctness and cluster")
    rows = by_cluster(calibration_rows(sure, correct, low), clusters)
    value = float(error_of_sums(rows.sum(0)))
    if len(rows) < 2:
        return Interval(value, None, None, len(rows))
    weights = np.random.default_rng(0).multinomial(len(rows), np.full(len(rows), 1 / len(rows)), size=REPLICATES)
    ends = np.quantile(error_of_sums(weights @ rows), (0.025, 0.975))
    return Interval(value, float(ends[0]), float(ends[1]), len(rows))
