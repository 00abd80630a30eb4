"""Intervals: checked by hand, against other formulas, and by how often they cover the truth."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.statistics.intervals import geometric_mean, jackknife, median, ratio_of_sums


def test_ratio_by_hand() -> None:
    # R = 12/6 = 2; residuals y - 2x = (0, -1, 1); s = sqrt(3/2 · 2)/6 = sqrt(3)/6; t(2, .975) = 4.302653
    found = ratio_of_sums([2, 3, 7], [1, 2, 3])
    assert found.value == 2
    assert found.high == pytest.approx(2 + 4.302653 * np.sqrt(3) / 6, rel=1e-6)
    assert found.low == pytest.approx(2 - 4.302653 * np.sqrt(3) / 6, rel=1e-6)
    assert found.n == 3


def test_ratio_of_equal_clusters_is_the_t_interval_of_a_mean() -> None:
    from scipy.stats import ttest_1samp

    y = np.random.default_rng(0).normal(3, 1, 12)
    expected = ttest_1samp(y, 0).confidence_interval(0.95)
    found = ratio_of_sums(y * 7, np.full(12, 7.0))
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


def test_ratio_weights_documents_by_their_tokens() -> None:
    """Known bad: the mean of the documents' means is another number."""
    nll, tokens = np.array([10.0, 400.0]), np.array([10.0, 100.0])
    assert ratio_of_sums(nll, tokens).value == pytest.approx(410 / 110)
    assert np.mean(nll / tokens) == pytest.approx(2.5)


def test_one_cluster_has_no_interval() -> None:
    assert ratio_of_sums([6], [2]) == (3.0, None, None, 1)


def test_what_is_no_ratio_is_refused() -> None:
    with pytest.raises(ValueError, match="one of each"):
        ratio_of_sums([1, 2], [1])
    with pytest.raises(ValueError, match="nothing"):
        ratio_of_sums([1.0], [0.0])
    with pytest.raises(ValueError, match="shape"):
        ratio_of_sums([[1.0]], [[1.0]])


def _documents(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Documents of very different lengths, whose tokens share a document effect: as in real text."""
    tokens = rng.integers(50, 1000, n).astype(float)
    effect = rng.normal(0, 0.4, n)
    noise = rng.normal(0, 2.0, n) / np.sqrt(tokens)
    return tokens * (3 + effect + noise), tokens, tokens * noise


def test_ratio_covers_and_pooled_tokens_would_not() -> None:
    rng = np.random.default_rng(1)
    rounds, covered, pooled = 2000, 0, 0
    for _ in range(rounds):
        nll, tokens, _ = _documents(rng, 20)
        found = ratio_of_sums(nll, tokens)
        assert found.low is not None and found.high is not None
        covered += found.low <= 3 <= found.high
        pooled += abs(found.value - 3) <= 1.96 * 2.0 / np.sqrt(tokens.sum())
    assert 0.92 <= covered / rounds <= 0.97
    assert pooled / rounds < 0.5, "tokens as the unit: the interval that this function exists to avoid"


def test_geometric_mean_by_hand() -> None:
    # logs of 1, e^1, e^2 have mean 1 and sd 1
    found = geometric_mean(np.exp([0.0, 1.0, 2.0]))
    assert found.value == pytest.approx(np.e)
    assert found.high == pytest.approx(np.exp(1 + 4.302653 / np.sqrt(3)), rel=1e-6)


@given(st.lists(st.floats(1e-3, 1e3), min_size=2, max_size=8))
def test_the_interval_of_a_rate_is_the_inverse_of_that_of_a_time(seconds: list[float]) -> None:
    times, rates = geometric_mean(seconds), geometric_mean([1 / s for s in seconds])
    assert times.low is not None and times.high is not None
    assert (rates.value, rates.low, rates.high) == pytest.approx((1 / times.value, 1 / times.high, 1 / times.low))


def test_geometric_mean_covers() -> None:
    rng = np.random.default_rng(2)
    hits = 0
    for _ in range(2000):
        found = geometric_mean(np.exp(rng.normal(0.5, 0.3, 5)))
        assert found.low is not None and found.high is not None
        hits += found.low <= np.exp(0.5) <= found.high
    assert 0.935 <= hits / 2000 <= 0.965


def test_geometric_mean_refuses_what_has_no_logarithm() -> None:
    for values in ([], [1.0, 0.0], [-1.0]):
        with pytest.raises(ValueError, match="positive"):
            geometric_mean(values)


@pytest.mark.parametrize(("n", "k"), [(6, 1), (8, 1), (9, 2), (10, 2), (12, 3), (15, 4), (20, 6), (30, 10)])
def test_median_ranks_are_the_published_ones(n: int, k: int) -> None:
    """Ranks of the 95 % interval: Conover, Practical Nonparametric Statistics, 3rd ed., table A3 (p = 1/2)."""
    found = median(np.arange(1, n + 1))
    assert (found.low, found.high) == (k, n + 1 - k)


def test_five_values_are_too_few_for_a_median_interval() -> None:
    assert median([3, 1, 2, 5, 4]) == (3.0, None, None, 5)
    with pytest.raises(ValueError, match="no values"):
        median([])


def test_median_covers_whatever_the_distribution() -> None:
    rng = np.random.default_rng(3)
    for draw, truth in (
        (lambda: rng.lognormal(0, 1.5, 15), 1.0),
        (lambda: rng.standard_cauchy(15), 0.0),
        (lambda: rng.exponential(1, 15), np.log(2)),
    ):
        hits = 0
        for _ in range(1000):
            found = median(draw())
            assert found.low is not None and found.high is not None
            hits += found.low <= truth <= found.high
        assert hits / 1000 >= 0.945


def test_jackknife_of_a_mean_is_students_t() -> None:
    """Leaving one out of a mean gives back the usual error of the mean, exactly."""
    from scipy.stats import t as student

    x = np.random.default_rng(0).normal(3, 2, 12)
    found = jackknife(float(x.mean()), (x.sum() - x) / 11)
    half = float(student.ppf(0.975, 11) * x.std(ddof=1) / np.sqrt(12))
    assert found.value == pytest.approx(x.mean())
    assert found.high == pytest.approx(x.mean() + half)
    assert found.low == pytest.approx(x.mean() - half)
    assert jackknife(1.0, [1.0]) == (1.0, None, None, 1)
