"""Intervals of proportions: against the definition, and by how often they cover the truth."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.statistics.intervals import ratio_of_sums
from harness.statistics.proportions import clustered_proportion, wilson


@given(st.integers(1, 200), st.data())
def test_wilson_is_where_the_score_test_rejects(n: int, data: st.DataObject) -> None:
    """Its ends p solve |x/n - p| = z·sqrt(p(1-p)/n), or are the ends of [0, 1]."""
    x = data.draw(st.integers(0, n))
    found = wilson(x, n)
    assert found.low is not None and found.high is not None
    assert 0 <= found.low <= x / n <= found.high <= 1
    for end in (found.low, found.high):
        if 0 < end < 1:
            assert abs(x / n - end) == pytest.approx(1.959964 * np.sqrt(end * (1 - end) / n), rel=1e-5, abs=1e-9)


def test_wilson_by_hand() -> None:
    # x = 0, n = 10: high = z²/(n + z²) = 3.841459/13.841459
    assert wilson(0, 10)[1:3] == (0.0, pytest.approx(3.841459 / 13.841459, rel=1e-6))
    for wrong in ((1, 0), (3, 2), (-1, 2)):
        with pytest.raises(ValueError, match="no proportion"):
            wilson(*wrong)


def _coverage(p: float, n: int) -> tuple[float, float]:
    """Exact coverage of Wilson's and of the textbook interval: summed over the binomial distribution."""
    from scipy.stats import binom

    ours = textbook = 0.0
    for x in range(n + 1):
        weight = float(binom.pmf(x, n, p))
        found = wilson(x, n)
        assert found.low is not None and found.high is not None
        ours += weight * (found.low <= p <= found.high)
        half = 1.959964 * np.sqrt(x / n * (1 - x / n) / n)
        textbook += weight * (abs(x / n - p) <= half)
    return ours, textbook


def test_wilson_covers_on_average_and_the_textbook_interval_does_not() -> None:
    shares = np.linspace(0.02, 0.98, 49)
    for n in (5, 10, 40, 100):
        covered = np.array([_coverage(p, n) for p in shares])
        assert 0.94 < covered[:, 0].mean() < 0.97
        assert covered[:, 0].min() > 0.83
        assert covered[:, 1].mean() < covered[:, 0].mean()
    assert np.array([_coverage(p, 10)[1] for p in shares]).mean() < 0.8


def test_clusters_of_one_are_wilson() -> None:
    assert clustered_proportion([1, 0, 1, 1], [1, 1, 1, 1]) == wilson(3, 4)


def test_clusters_that_agree_count_as_one_trial_each() -> None:
    """40 clusters of 5 equal answers: nearly the interval of 40 trials, and far wider than that of 200."""
    answers = np.array([1, 0] * 20)
    found = clustered_proportion(answers * 5, np.full(40, 5))
    one_each, all_free = wilson(20, 40), wilson(100, 200)
    assert found.value == 0.5
    assert found.high - found.low == pytest.approx(one_each.high - one_each.low, rel=0.05)
    assert found.high - found.low > 2 * (all_free.high - all_free.low)


def test_without_variance() -> None:
    assert clustered_proportion([0, 0, 0], [4, 4, 4]).low == 0
    assert clustered_proportion([0, 0, 0], [4, 4, 4]).high > wilson(0, 12).high
    assert clustered_proportion([3], [4]) == (0.75, None, None, 1)
    with pytest.raises(ValueError, match="each cluster"):
        clustered_proportion([3], [2])


@pytest.mark.parametrize("share", [0.5, 0.9])
def test_clustered_interval_covers_and_pooling_would_not(share: float) -> None:
    """Beta-binomial clusters of 2 to 10 documents, intraclass correlation 0.3."""
    rng = np.random.default_rng(0)
    a, b = share * 7 / 3, (1 - share) * 7 / 3  # rho = 1/(a + b + 1) = 0.3
    rounds, covered, pooled, linear = 1000, 0, 0, 0
    for _ in range(rounds):
        sizes = rng.integers(2, 11, 30)
        right = rng.binomial(sizes, rng.beta(a, b, 30))
        found, free = clustered_proportion(right, sizes), wilson(right.sum(), sizes.sum())
        covered += found.low <= share <= found.high
        pooled += free.low <= share <= free.high
        straight = ratio_of_sums(right, sizes)
        linear += straight.low <= share <= straight.high
    assert 0.92 <= covered / rounds <= 0.98
    assert covered >= linear  # 95 % is nominal: 30 clusters near 1 leave either a little short
    assert pooled / rounds < 0.83


def test_many_clusters_agree_with_the_linear_interval() -> None:
    rng = np.random.default_rng(1)
    sizes = rng.integers(1, 9, 4000)
    right = rng.binomial(sizes, rng.beta(1, 1, 4000))
    found, linear = clustered_proportion(right, sizes), ratio_of_sums(right, sizes)
    assert found[1:3] == pytest.approx(linear[1:3], abs=2e-4)
