"""Win rates at equal lengths: against scipy's fit, and what a judge gets that goes by length alone."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit

from harness.statistics.length_controlled import RIDGE, length_controlled


def drawn(theta: float, phi: float, n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    lengths = draw.normal(10, 30, n)
    wins = draw.uniform(size=n) < expit(theta + phi * np.tanh(lengths / lengths.std()))
    return wins.astype(float), lengths


def test_the_slow_fit_is_the_same() -> None:
    wins, lengths = drawn(0.3, 2.0, 300, 0)
    x = np.tanh(lengths / lengths.std())

    def loss(theta: np.ndarray) -> float:
        p = expit(theta[0] + theta[1] * x)
        penalty = 0.5 * RIDGE * len(wins) * theta[1] ** 2
        return float(-(wins * np.log(p) + (1 - wins) * np.log1p(-p)).sum() + penalty)

    slow = minimize(loss, np.zeros(2), tol=1e-12).x[0]
    assert length_controlled(wins, lengths, range(300)).value == pytest.approx(expit(slow), abs=1e-5)


def test_a_judge_of_length_alone_is_at_one_half_however_long_the_answers_are() -> None:
    """The control: the raw rate is far from a half."""
    wins, lengths = drawn(0.0, 4.0, 2000, 1)
    found = length_controlled(wins, lengths, range(2000))
    assert wins.mean() > 0.6
    assert found.low is not None and found.high is not None
    assert found.low < 0.5 < found.high


def test_intervals_cover() -> None:
    truth, covered = float(expit(0.5)), 0
    for seed in range(200):
        found = length_controlled(*drawn(0.5, 1.0, 150, seed + 10), range(150))
        assert found.low is not None and found.high is not None
        covered += found.low <= truth <= found.high
    assert covered >= 180  # 95 % of 200 are 190; below 180 has a chance of 1 in 500


def test_clusters_widen_it() -> None:
    wins, lengths = drawn(0.2, 1.0, 100, 3)
    alone = length_controlled(wins, lengths, range(100))
    copied = length_controlled(np.tile(wins, 4), np.tile(lengths, 4), list(range(100)) * 4)
    assert copied.value == pytest.approx(alone.value, abs=1e-6)
    assert copied.low == pytest.approx(alone.low, abs=1e-3)


def test_what_has_no_interval() -> None:
    assert length_controlled([1, 1, 1], [1, 2, 3], "abc")[:3] == (1.0, None, None)
    assert length_controlled([1, 0], [0, 0], "aa").low is None
    assert length_controlled([0.5, 0.5], [0, 0], "ab").value == 0.5
    with pytest.raises(ValueError, match="a comparison at least"):
        length_controlled([], [], [])
