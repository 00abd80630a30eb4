"""Clopper's and Pearson's bounds against scipy, against their definition, and by coverage."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, binomtest

from harness.statistics.exact_proportions import at_least, at_most
from harness.statistics.proportions import most_unseen


@given(st.integers(1, 400), st.data())
def test_they_are_scipys(trials: int, data: st.DataObject) -> None:
    successes = data.draw(st.integers(0, trials))
    exact = binomtest(successes, trials).proportion_ci(0.90, method="exact")
    assert at_most(successes, trials) == pytest.approx(exact.high, abs=1e-9)
    assert at_least(successes, trials) == pytest.approx(exact.low, abs=1e-9)


def test_what_the_issue_of_false_alarms_rests_on() -> None:
    assert at_most(0, 300) == pytest.approx(1 - 0.05 ** (1 / 300)) == pytest.approx(most_unseen(300))
    assert at_most(0, 300) < 0.01 < at_most(0, 298)
    assert at_least(60, 60) > 0.95


@pytest.mark.parametrize("rate", [0.01, 0.1, 0.5])
def test_the_rate_is_below_the_bound_in_95_percent(rate: float) -> None:
    covered = sum(binom.pmf(k, 50, rate) for k in range(51) if at_most(k, 50) >= rate)
    assert covered >= 0.95


def test_no_trials() -> None:
    for successes, trials in ((0, 0), (2, 1), (-1, 3)):
        with pytest.raises(ValueError, match="no proportion"):
            at_most(successes, trials)
