"""Means over strata."""

import numpy as np
import pytest

from harness.statistics.strata import mean_interval, proportion_interval, stratified_mean


def test_by_hand() -> None:
    # weights 3/4, 1/4: 0.75·1 + 0.25·2 = 1.25; sqrt(0.75²·0.2² + 0.25²·0.4²) = sqrt(0.0225 + 0.01)
    found = stratified_mean([1, 2], [0.2, 0.4], [3, 1], [9, 4])
    assert found.value == 1.25
    assert found.error == pytest.approx(np.sqrt(0.0325))
    assert found.degrees == pytest.approx(0.0325**2 / (0.0225**2 / 9 + 0.01**2 / 4))
    interval = mean_interval(found, 20)
    assert interval.high - interval.value == pytest.approx(interval.value - interval.low)


def test_one_stratum_is_itself() -> None:
    found = stratified_mean([0.3], [0.1], [7], [11])
    assert (found.value, found.error, found.degrees) == pytest.approx((0.3, 0.1, 11))


def test_all_right_everywhere_still_has_an_interval() -> None:
    mean = stratified_mean([1, 1], [0, 0], [1, 1], [9, 9])
    assert proportion_interval(mean, 20) == (1.0, pytest.approx(1 - 3.841459 / 23.841459, rel=1e-5), 1.0, 20)


def test_bad_strata() -> None:
    with pytest.raises(ValueError, match="per stratum"):
        stratified_mean([1, 2], [0.1], [1, 1], [1, 1])
    with pytest.raises(ValueError, match="positive"):
        stratified_mean([1], [0.1], [0], [1])


@pytest.mark.parametrize("sizes", [[20] * 12, [5, 5, 5, 200, 40]])
@pytest.mark.parametrize("equal", [True, False])
def test_proportions_over_strata_are_covered(sizes: list[int], equal: bool) -> None:
    rng = np.random.default_rng(2)
    n = np.array(sizes)
    truth = rng.beta(2, 3, len(n))
    weights = np.ones(len(n)) if equal else n.astype(float)
    target = float(weights @ truth / weights.sum())
    rounds, covered = 1000, 0
    for _ in range(rounds):
        share = rng.binomial(n, truth) / n
        mean = stratified_mean(share, np.sqrt(share * (1 - share) / (n - 1)), weights, n - 1)
        interval = proportion_interval(mean, int(n.sum()))
        covered += interval.low <= target <= interval.high
    assert 0.92 <= covered / rounds <= 0.985
