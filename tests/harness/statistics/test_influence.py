"""Influences against what they stand for: leaving documents out, and the textbook's interval of a mean."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from harness.statistics.influence import by_cluster, covariance, ratio_influences, t_interval
from harness.statistics.intervals import ratio_of_sums

GENERATOR = np.random.default_rng(3)
SUMS, WEIGHTS = GENERATOR.gamma(3.0, size=(50, 2)), GENERATOR.uniform(1, 4, size=(50, 2))


def test_influences_of_a_ratio_give_the_ratio_estimators_interval() -> None:
    rows = ratio_influences(SUMS, WEIGHTS)
    assert rows.sum(axis=0) == pytest.approx([0, 0], abs=1e-12)
    for column in range(2):
        wanted = ratio_of_sums(SUMS[:, column], WEIGHTS[:, column])
        assert tuple(t_interval(wanted.value, rows[:, column])) == pytest.approx(tuple(wanted))


def test_a_difference_of_influences_is_paired() -> None:
    rows = ratio_influences(SUMS, np.ones_like(SUMS))
    change = SUMS[:, 1] - SUMS[:, 0]
    low, high = stats.t.interval(0.95, 49, change.mean(), stats.sem(change))
    found = t_interval(float(change.mean()), rows[:, 1] - rows[:, 0])
    assert [found.low, found.high] == pytest.approx([low, high])


def test_clusters_count_once() -> None:
    """Every document four times over, as one cluster, knows no more than once."""
    once = ratio_influences(SUMS, WEIGHTS)
    four = ratio_influences(np.repeat(SUMS, 4, axis=0), np.repeat(WEIGHTS, 4, axis=0))
    summed = by_cluster(four, [f"c{number}" for number in np.repeat(np.arange(50), 4)])
    assert summed == pytest.approx(once)
    assert covariance(four)[0, 0] < covariance(summed)[0, 0] / 3


def test_one_unit_has_no_interval() -> None:
    assert t_interval(1.0, np.ones(1)) == (1.0, None, None, 1)
