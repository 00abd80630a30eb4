"""Expected calibration error of probabilities, with an interval over clusters.

Guo et al. 2017 (arXiv:1706.04599, section 2): bins of equal width by confidence, the mean over all answers of the
distance between accuracy and confidence of their bin. Of few answers it is biased upwards, and so are its bootstrap
draws: compare models on equally many.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import ArrayLike

from harness.statistics.intervals import Interval

BINS = 10
REPLICATES = 1000


def calibration_error(
    confidence: ArrayLike, right: ArrayLike, clusters: Sequence[Hashable], *, low: float = 0.0
) -> Interval:
    """ECE. confidence, right: (answers,), each between 0 and 1, the least confidence that can be being `low`. clusters:
    of each answer what makes it depend on others; whole clusters are drawn (percentile bootstrap, 95 %). ValueError
    without an answer. One cluster has no interval."""
    sure, correct = np.asarray(confidence, dtype=np.float64), np.asarray(right, dtype=np.float64)
    if not len(sure) or sure.shape != correct.shape or len(clusters) != len(sure):
        raise ValueError("calibration needs an answer at least, and of each its confidence, correctness and cluster")
    place = np.minimum(((sure - low) / (1 - low) * BINS).astype(int).clip(0), BINS - 1)
    names = {name: index for index, name in enumerate(dict.fromkeys(clusters))}
    of = np.array([names[name] for name in clusters])
    table = np.zeros((3, len(names), BINS))  # answers, confidence, right: by cluster and bin
    for row, values in zip(table, (np.ones_like(sure), sure, correct), strict=True):
        np.add.at(row, (of, place), values)
    _, summed, hit = table.sum(1)
    value = float(np.abs(summed - hit).sum() / len(sure))
    if len(names) < 2:
        return Interval(value, None, None, len(names))
    weights = np.random.default_rng(0).multinomial(len(names), np.full(len(names), 1 / len(names)), size=REPLICATES)
    counts, sures, hits = (weights @ row for row in table)
    ends = np.quantile(np.abs(sures - hits).sum(1) / counts.sum(1), (0.025, 0.975))
    return Interval(value, float(ends[0]), float(ends[1]), len(names))
