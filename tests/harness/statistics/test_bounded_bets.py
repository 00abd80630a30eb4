"""Bets on bounded means: against plain products, by simulated level, and against what must hold of any interval."""

from math import log

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.statistics.bounded_bets import STAKES, bounded_mean, mean_above, not_worse, worse

scores = st.lists(st.sampled_from([-1.0, -0.5, 0.0, 0.5, 1.0]), min_size=1, max_size=20)


@given(scores, st.floats(-0.9, 0.9))
def test_it_is_the_mean_over_stakes_of_the_products(x: list[float], null: float) -> None:
    slow = [np.prod([1 + share / (null + 1) * (value - null) for value in x]) for share in STAKES]
    assert mean_above(x, null, -1, 1)[-1] == pytest.approx(log(np.mean(slow)), abs=1e-9)


@given(scores)
def test_the_order_of_the_documents_changes_nothing(x: list[float]) -> None:
    assert not_worse(x, 0.1)[-1] == pytest.approx(not_worse(sorted(x), 0.1)[-1], abs=1e-9)


@settings(max_examples=30)
@given(scores)
def test_the_interval_holds_the_mean_and_stays_inside(x: list[float]) -> None:
    mean, low, high, n = bounded_mean(x, -1, 1)
    assert low is not None and high is not None and n == len(x)
    assert -1 <= low <= mean <= high <= 1


def test_simulated_level_at_the_margin() -> None:
    """Differences of right and wrong whose mean is exactly the margin below 0 pass in 5 % at most, at any look."""
    generator = np.random.default_rng(0)
    draws = generator.choice([-1.0, 0.0, 1.0], (600, 300), p=[0.08, 0.89, 0.03])
    passed = [not_worse(row, 0.05).max() >= log(20) for row in draws]
    assert np.mean(passed) <= 0.05
    same = generator.choice([-1.0, 0.0, 1.0], (600, 300), p=[0.05, 0.9, 0.05])
    assert np.mean([worse(row).max() >= log(20) for row in same]) <= 0.05


def test_what_is_there_is_found() -> None:
    generator = np.random.default_rng(1)
    equal = generator.choice([-1.0, 0.0, 1.0], 2000, p=[0.02, 0.96, 0.02])
    assert not_worse(equal, 0.05)[-1] > log(20) > worse(equal)[-1]
    broken = generator.choice([-1.0, 0.0, 1.0], 300, p=[0.3, 0.69, 0.01])
    assert worse(broken)[-1] > log(100)


def test_equal_outputs_need_a_few_documents_and_no_test() -> None:
    passed = not_worse(np.zeros(200), 0.05) >= log(20)
    assert passed[-1] and not passed[10]


def test_coverage_of_the_interval() -> None:
    generator = np.random.default_rng(2)
    missed = 0
    for _ in range(200):
        _, low, high, _ = bounded_mean(generator.beta(0.5, 2, 60), 0, 1)
        assert low is not None and high is not None
        missed += not low <= 0.2 <= high
    assert missed <= 10


@pytest.mark.parametrize("wrong", [[2.0], [float("nan")], [-1.5]])
def test_what_is_not_bounded_is_refused(wrong: list[float]) -> None:
    with pytest.raises(ValueError, match="values between -1"):
        not_worse(wrong, 0.05)


def test_ends_of_the_range() -> None:
    assert list(mean_above([0.0, 1.0], 0.0, 0.0, 1.0)) == [0.0, np.inf]
    assert bounded_mean([0.0] * 50, 0.0, 1.0).low == pytest.approx(0.0)
    with pytest.raises(ValueError, match="a margin between"):
        not_worse([0.0], 1.5)
    with pytest.raises(ValueError, match="no mean of values"):
        mean_above([0.0], 2.0, 0.0, 1.0)
    with pytest.raises(ValueError, match="no values"):
        bounded_mean([], 0, 1)
