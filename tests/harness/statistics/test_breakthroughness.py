"""BIG-bench's B and L: by hand, infinite where the middle difference is 0, and never without their null."""

from __future__ import annotations

import numpy as np
import pytest

from harness.statistics.breakthroughness import breakthroughness, linearity, null_calibrated


def test_by_hand() -> None:
    scores = [0.1, 0.2, 0.2, 0.6]  # differences .1, 0, .4: median square .01, mean square .17/3
    assert breakthroughness(scores) == pytest.approx(0.5 / 0.1)
    assert linearity(scores) == pytest.approx(0.5 / 3 / np.sqrt(0.17 / 3))
    assert linearity([0.1, 0.3, 0.5, 0.7]) == pytest.approx(1.0)
    assert breakthroughness([0.6, 0.2, 0.2, 0.1]) == pytest.approx(-5.0)


def test_infinite_and_flat() -> None:
    assert breakthroughness([[0, 0, 0, 0.5], [0.5, 0, 0, 0], [0.3] * 4]).tolist() == [np.inf, -np.inf, 0.0]


def test_noise_alone_has_a_large_b() -> None:
    """What flat lines with binomial noise have: B of about 2.6 in the middle, above 5 at 95 %."""
    generator = np.random.default_rng(1)
    b = np.abs(breakthroughness(generator.binomial(200, 0.25, (4000, 7)) / 200))
    assert 2.4 < np.median(b) < 4.0 and 5.0 < np.quantile(b, 0.95) < 9.0


def test_under_noise_the_p_value_is_uniform() -> None:
    generator = np.random.default_rng(2)
    n = np.full(6, 300)
    p = [null_calibrated(generator.binomial(n, 0.25), n, 200, seed=k).p_breakthroughness for k in range(200)]
    assert np.mean(np.array(p) <= 0.05) <= 0.1 and 0.4 < np.mean(p) < 0.6


def test_few_items_make_it_infinite_by_chance() -> None:
    found = null_calibrated([0, 0, 0, 0, 0, 2], [20] * 6, 2000)
    assert found.breakthroughness == np.inf and found.null_breakthroughness == np.inf and found.null_infinite > 0.3
