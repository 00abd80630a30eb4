"""Intervals of ratios: against slow oracles, and their coverage by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.statistics.ratios import (
    PositiveEstimate,
    independent_ratio,
    paired_ratio_of_exponentials,
    paired_ratio_of_means,
    product_of_powers,
)

positive = st.floats(1e-3, 1e6)
spread = st.floats(0.0, 0.5)


def _estimate(value: float, down: float, up: float) -> PositiveEstimate:
    return PositiveEstimate(value, value * math.exp(-down), value * math.exp(up))


@given(positive, spread, spread, positive, spread, spread)
def test_independent_ratio_is_mover_on_the_logs(
    a: float, a_down: float, a_up: float, b: float, b_down: float, b_up: float
) -> None:
    got = independent_ratio(_estimate(a, a_down, a_up), _estimate(b, b_down, b_up))
    assert got.value == pytest.approx(a / b)
    assert got.low is not None and got.high is not None
    # the denominator's upper end pulls the ratio's lower end
    assert math.log(a / b / got.low) == pytest.approx(math.hypot(a_down, b_up), abs=1e-9)
    assert math.log(got.high / (a / b)) == pytest.approx(math.hypot(a_up, b_down), abs=1e-9)


@given(positive, spread, spread)
def test_an_exact_denominator_leaves_the_numerators_interval(value: float, down: float, up: float) -> None:
    estimate = _estimate(value, down, up)
    got = independent_ratio(estimate, PositiveEstimate(2.0, 2.0, 2.0))
    assert (got.low, got.high) == (pytest.approx(estimate.low / 2), pytest.approx(estimate.high / 2))


def test_swapping_the_sides_inverts_the_interval() -> None:
    a, b = PositiveEstimate(3.0, 2.0, 5.0), PositiveEstimate(7.0, 6.5, 7.1)
    one, other = independent_ratio(a, b), independent_ratio(b, a)
    assert one.low is not None and one.high is not None
    assert (other.low, other.high) == (pytest.approx(1 / one.high), pytest.approx(1 / one.low))


def test_an_unbounded_interval_stays_unbounded() -> None:
    got = product_of_powers([PositiveEstimate(1.0, 0.0, math.inf), PositiveEstimate(2.0, 1.0, 3.0)], [1.0, -1.0])
    assert (got.low, got.high) == (0.0, math.inf)
    untouched = product_of_powers([PositiveEstimate(1.0, 0.0, math.inf), PositiveEstimate(2.0, 1.0, 3.0)], [0.0, 1.0])
    assert (untouched.low, untouched.high) == (pytest.approx(1.0), pytest.approx(3.0))


def test_a_ratio_needs_positive_values() -> None:
    with pytest.raises(ValueError, match="positive"):
        independent_ratio(PositiveEstimate(0.0, 0.0, 1.0), PositiveEstimate(1.0, 1.0, 1.0))


def _documents(seed: int, n: int, change: float = 0.01, noise: float = 0.02) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(seed)
    tokens = rng.integers(50, 400, n).astype(float)
    base = tokens * 2.0 * (1 + 0.2 * rng.standard_normal(n))
    head = base + tokens * (change + noise * rng.standard_normal(n))
    return head, base, tokens


def _jackknife_error(statistic: np.ndarray) -> float:
    n = len(statistic)
    return math.sqrt((n - 1) / n * ((statistic - statistic.mean()) ** 2).sum())


@pytest.mark.parametrize("compare", [paired_ratio_of_exponentials, paired_ratio_of_means])
def test_paired_interval_agrees_with_the_jackknife(compare) -> None:  # type: ignore[no-untyped-def]
    head, base, tokens = _documents(1, 80)
    got = compare((head, tokens), (base, tokens))
    left_out = []
    for i in range(len(tokens)):
        keep = np.arange(len(tokens)) != i
        left_out.append(math.log(compare((head[keep], tokens[keep]), (base[keep], tokens[keep])).value))
    from scipy.special import stdtrit

    half = stdtrit(79, 0.975) * _jackknife_error(np.array(left_out))
    assert math.log(got.high / got.value) == pytest.approx(half, rel=0.03)
    assert got.n == 80


def test_paired_values() -> None:
    head, base, tokens = _documents(2, 30)
    ppl = paired_ratio_of_exponentials((head, tokens), (base, tokens))
    assert ppl.value == pytest.approx(math.exp(head.sum() / tokens.sum()) / math.exp(base.sum() / tokens.sum()))
    loss = paired_ratio_of_means((head, tokens), (base, tokens))
    assert loss.value == pytest.approx(head.sum() / base.sum())


def test_pairing_is_far_narrower_than_two_independent_intervals() -> None:
    head, base, tokens = _documents(3, 60)
    paired = paired_ratio_of_exponentials((head, tokens), (base, tokens))
    one = paired_ratio_of_exponentials((head, tokens), (np.zeros(60), tokens))
    other = paired_ratio_of_exponentials((base, tokens), (np.zeros(60), tokens))
    assert one.low is not None and one.high is not None and other.low is not None and other.high is not None
    apart = independent_ratio(
        PositiveEstimate(one.value, one.low, one.high), PositiveEstimate(other.value, other.low, other.high)
    )
    assert apart.value == pytest.approx(paired.value)
    assert math.log(paired.high / paired.low) < 0.2 * math.log(apart.high / apart.low)  # type: ignore[operator]


def test_identical_documents_give_exactly_one() -> None:
    _, base, tokens = _documents(4, 20)
    for compare in (paired_ratio_of_exponentials, paired_ratio_of_means):
        got = compare((base, tokens), (base, tokens))
        assert (got.value, got.low, got.high) == (1.0, 1.0, 1.0)


def test_one_document_has_no_interval() -> None:
    got = paired_ratio_of_exponentials((np.array([3.0]), np.array([2.0])), (np.array([2.0]), np.array([2.0])))
    assert got.low is None and got.value == pytest.approx(math.exp(0.5))


def test_coverage_of_the_paired_interval() -> None:
    """The true ratio of perplexities is exp(0.01); 95 % intervals hold it about 95 % of the time."""
    held = 0
    for seed in range(1000):
        head, base, tokens = _documents(seed, 25)
        got = paired_ratio_of_exponentials((head, tokens), (base, tokens))
        assert got.low is not None and got.high is not None
        held += got.low <= math.exp(0.01) <= got.high
    assert 0.925 < held / 1000 < 0.972
