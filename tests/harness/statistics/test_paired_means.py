"""Means of the same documents at several scales: against scipy's paired test, and counts against Wilson's interval."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from harness.statistics.paired_means import flat_start, intervals, paired_means, progress, told_better
from harness.statistics.proportions import wilson

DOCUMENTS = 200
NAMES = [str(number) for number in range(DOCUMENTS)]


def _scores(means: list[float], seed: int = 0) -> NDArray[np.float64]:
    """What documents differ by is far more than what the scales differ by."""
    generator = np.random.default_rng(seed)
    hard = generator.normal(0, 5, size=(DOCUMENTS, 1))
    scores: NDArray[np.float64] = hard + np.array(means) + generator.normal(0, 0.5, size=(DOCUMENTS, len(means)))
    return scores


def test_scales_are_told_apart_by_document() -> None:
    scores = _scores([0.0, 0.0, 0.05, 0.3, 1.0])
    found = paired_means(scores, None, NAMES)
    for at in range(1, 5):
        one_sided = stats.ttest_rel(scores[:, at], scores[:, 0], alternative="greater").pvalue
        assert told_better(found, at) == (one_sided < 0.05 / 4 / 2)
    assert flat_start(found) == 3
    assert not told_better(found, 0)
    assert flat_start(paired_means(-scores, None, NAMES, better=-1)) == 3
    assert flat_start(paired_means(-scores, None, NAMES)) == 5


def test_right_and_wrong_have_wilsons_interval() -> None:
    right = (np.arange(DOCUMENTS)[:, None] < np.array([0, 50, 199])).astype(float)
    found, how = intervals(paired_means(right, None, NAMES))
    assert found == [wilson(count, DOCUMENTS) for count in (0, 50, 199)]
    assert how == "Wilson over documents"
    assert intervals(paired_means(right, None, NAMES[:100] * 2))[1].endswith("over clusters, t")


def test_weights_make_a_ratio_of_sums() -> None:
    weights = np.random.default_rng(1).uniform(1, 9, DOCUMENTS)
    found = paired_means(_scores([1.0, 2.0]) * weights[:, None], weights, NAMES)
    assert found.values == pytest.approx(np.average(_scores([1.0, 2.0]), weights=weights, axis=0))


def test_progress_covers_the_truth() -> None:
    """Half way at the second scale, 95 % of the time."""
    hits = [
        low <= 0.5 <= high
        for seed in range(150)
        for _, low, high in [progress(paired_means(_scores([0.0, 0.5, 1.0], seed), None, NAMES), 1)]
    ]
    assert 0.9 <= np.mean(hits) <= 0.99
