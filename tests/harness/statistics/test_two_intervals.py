"""Two values known by their intervals: the same answer as Welch's test on the launches themselves."""

from __future__ import annotations

from math import log

import numpy as np
import pytest
from scipy.stats import ttest_ind

from harness.statistics.intervals import geometric_mean
from harness.statistics.two_intervals import Launches, log_difference


def launches(values: np.ndarray) -> Launches:  # type: ignore[type-arg]
    found = geometric_mean(values)
    assert found.low is not None and found.high is not None
    return Launches(found.value, found.low, found.high, found.n)


@pytest.mark.parametrize("sizes", [(3, 3), (4, 9), (12, 5)])
def test_it_is_welchs_test(sizes: tuple[int, int]) -> None:
    rng = np.random.default_rng(sizes)
    a, b = np.exp(rng.normal(0, 0.02, sizes[0])), np.exp(rng.normal(0.03, 0.05, sizes[1]))
    found = log_difference(launches(a), launches(b))
    oracle = ttest_ind(np.log(b), np.log(a), equal_var=False, alternative="greater")
    assert found.value == pytest.approx(np.log(b).mean() - np.log(a).mean())
    assert found.chance_above(0) == pytest.approx(oracle.pvalue)
    shifted = ttest_ind(np.log(b), np.log(a * 1.05), equal_var=False, alternative="less")
    assert found.chance_below(log(1.05)) == pytest.approx(shifted.pvalue)


def test_launches_that_agree_to_the_bit_leave_no_doubt() -> None:
    same = Launches(5.0, 5.0, 5.0, 3)
    assert log_difference(same, same).chance_above(0) == 1
    assert log_difference(same, same).chance_below(0.01) == 0
    assert log_difference(same, Launches(6.0, 6.0, 6.0, 3)).chance_above(0) == 0


@pytest.mark.parametrize("bad", [Launches(1.0, 0.9, 1.1, 1), Launches(1.0, -0.1, 2.1, 3)])
def test_what_has_no_error_is_refused(bad: Launches) -> None:
    with pytest.raises(ValueError, match="two launches"):
        log_difference(bad, Launches(1.0, 0.9, 1.1, 3))


def test_the_level_holds_for_identical_code() -> None:
    rng = np.random.default_rng(0)
    found = []
    for _ in range(2000):
        a, b = np.exp(rng.normal(0, 0.02, (2, 4)))
        found.append(log_difference(launches(a), launches(b)).chance_above(0))
    assert np.mean(np.asarray(found) <= 0.05) < 0.05 + 3 * (0.05 * 0.95 / 2000) ** 0.5
