"""Bootstrap over documents: against a loop, and against the linearised error."""

from __future__ import annotations

import math

import numpy as np
import pytest

from harness.statistics.bootstrap import percentile_interval, resampled_means


def test_a_draw_is_whole_documents_for_every_column() -> None:
    """Two columns of which one is twice the other stay so under every draw."""
    rng = np.random.default_rng(0)
    sums = rng.random((40, 1)) * [[1.0, 2.0]]
    weights = np.ones((40, 2))
    means = resampled_means(sums, weights, 600, seed=1)
    assert means.shape == (600, 2)
    np.testing.assert_allclose(means[:, 1], 2 * means[:, 0])
    assert len(np.unique(means[:, 0])) > 500


def test_same_seed_same_draws() -> None:
    sums, weights = np.random.default_rng(0).random((30, 1)), np.ones((30, 1))
    one, again, other = (resampled_means(sums, weights, 300, seed=seed) for seed in (5, 5, 6))
    assert (one == again).all() and (one != other).any()


def test_against_a_plain_loop() -> None:
    rng = np.random.default_rng(3)
    sums, weights = rng.random((7, 1)), rng.integers(1, 5, (7, 1)).astype(float)
    chosen = np.random.default_rng(9).integers(7, size=(256, 7))
    means = resampled_means(sums, weights, 256, seed=9)
    for row, drawn in enumerate(chosen):
        assert means[row, 0] == pytest.approx(sums[drawn, 0].sum() / weights[drawn, 0].sum())


def test_spread_agrees_with_the_ratio_estimator() -> None:
    rng = np.random.default_rng(4)
    weights = rng.integers(50, 400, 200).astype(float)
    sums = weights * (2 + 0.3 * rng.standard_normal(200))
    means = resampled_means(sums[:, None], weights[:, None], 4000, seed=0)[:, 0]
    mean = sums.sum() / weights.sum()
    error = math.sqrt((((sums - mean * weights) / weights.sum()) ** 2).sum())
    assert means.std() == pytest.approx(error, rel=0.05)
    low, high = percentile_interval(means)
    assert (low, high) == (pytest.approx(mean - 1.96 * error, rel=0.01), pytest.approx(mean + 1.96 * error, rel=0.01))
