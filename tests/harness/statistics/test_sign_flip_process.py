"""The e-process over launches: against enumeration of all signs, against plain arithmetic, and by simulated level."""

from itertools import product
from math import cosh, exp, log

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.statistics.sign_flip_process import (
    RATES,
    evidence_above,
    evidence_below,
    launches_needed,
    median_interval,
    smallest_seen,
    strongest,
)

small = st.floats(-0.5, 0.5, allow_nan=False)
launches = st.lists(small, min_size=1, max_size=8)


def flips(sizes: list[float]) -> np.ndarray:
    """Every choice of signs: (2**n, n)."""
    return np.array(list(product((1.0, -1.0), repeat=len(sizes)))) * np.asarray(sizes)


@given(launches)
def test_it_is_the_mean_over_rates_of_the_products(d: list[float]) -> None:
    slow = [np.prod([exp(rate * x) / cosh(rate * x) for x in d]) for rate in RATES]
    assert np.exp(evidence_above(d)[-1]) == pytest.approx(np.mean(slow), rel=1e-9)


@given(launches)
def test_over_all_signs_its_mean_is_one_after_every_launch(d: list[float]) -> None:
    """The oracle: under the null all signs of the same sizes are equally likely."""
    np.testing.assert_allclose(np.exp(evidence_above(flips(d))).mean(axis=0), 1.0, rtol=1e-9)


@settings(max_examples=20)
@given(st.lists(small, min_size=9, max_size=11), st.sampled_from([0.5, 0.1, 0.01]))
def test_over_all_signs_it_reaches_1_over_alpha_in_a_share_of_alpha_at_most(d: list[float], alpha: float) -> None:
    reached = evidence_above(flips(d)).max(axis=1) >= log(1 / alpha)
    assert reached.mean() <= alpha


@given(launches, small, st.floats(0, 0.3))
def test_it_grows_with_every_difference_and_falls_with_the_null(d: list[float], null: float, more: float) -> None:
    assert np.all(evidence_above(np.asarray(d) + more, null) >= evidence_above(d, null) - 1e-12)
    assert np.all(evidence_above(d, null + more) <= evidence_above(d, null) + 1e-12)


@given(launches, small)
def test_below_is_above_of_what_is_turned_round(d: list[float], null: float) -> None:
    np.testing.assert_allclose(evidence_below(d, null), evidence_above([-x for x in d], -null))


def test_no_launch_counts_for_more_than_a_factor_of_two() -> None:
    assert evidence_above([1e6])[-1] == pytest.approx(log(2))
    assert evidence_above([1e6] * 7)[-1] >= log(100) > evidence_above([1e6] * 6)[-1]
    assert (launches_needed(0.01), launches_needed(0.05), launches_needed(0.025)) == (7, 5, 6)


def test_no_difference_is_no_evidence() -> None:
    assert np.all(evidence_above([0.0] * 50) == pytest.approx(0.0))
    assert strongest(evidence_above([])) == 0.0


def lockstep(trials: int, seed: int) -> np.ndarray:
    """Differences of 24 launches of identical code: times drift (AR(1) of 0.98 from turn to turn), whoever is second is
    slower, launches have layouts of their own, noise has heavy tails, and the order is drawn."""
    generator = np.random.default_rng(seed)
    pairs, count = 12, 24
    turns = generator.standard_t(2.5, (trials, count, 2 * pairs)) * 0.02
    drift = np.zeros((trials, count))
    for turn in range(2 * pairs):
        drift = 0.98 * drift + generator.normal(0, 0.03, drift.shape)
        turns[:, :, turn] += drift
    turns[:, :, 1::2] += 0.015
    first = np.where(np.arange(pairs) % 2 == 0, 1.0, -1.0) * generator.choice([-1.0, 1.0], (trials, count, 1))
    layout = generator.normal(0, 0.02, (trials, count))
    return np.asarray(np.median(first * (turns[:, :, 1::2] - turns[:, :, ::2]), axis=-1) + layout)


def test_simulated_level_with_drift_slots_and_heavy_tails() -> None:
    best = evidence_above(lockstep(3000, 1)).max(axis=1)
    for alpha in (0.1, 0.05, 0.01):
        assert np.mean(best >= log(1 / alpha)) <= alpha


def test_known_bad_an_order_that_is_not_drawn_is_called_slower() -> None:
    generator = np.random.default_rng(2)
    always_second = generator.normal(0.015, 0.01, (200, 24))
    assert np.mean(evidence_above(always_second).max(axis=1) >= log(100)) > 0.9


def test_product_of_two_is_an_e_value() -> None:
    one, other = lockstep(2000, 3)[:, :7], lockstep(2000, 4)[:, :5]
    product_of_both = np.exp(evidence_above(one)[:, -1] + evidence_above(other)[:, -1])
    assert product_of_both.mean() < 1.15  # 1 but for chance
    assert np.mean(product_of_both >= 20) <= 0.05


# --- the interval ----------------------------------------------------------------------------------------------------


@settings(max_examples=40)
@given(st.lists(small, min_size=6, max_size=24))
def test_the_interval_is_what_the_test_does_not_reject(d: list[float]) -> None:
    found = median_interval(d)
    assert found.low is not None and found.high is not None and found.low <= found.high + 1e-9
    wanted = log(40)
    if strongest(evidence_above(d, found.low - 1e-6)) >= wanted:  # not where the last launch decides
        assert strongest(evidence_above(d, found.low + 1e-6)) < wanted


def test_few_launches_have_no_ends() -> None:
    assert median_interval([0.1] * 5)[1:3] == (None, None)
    assert median_interval([0.1] * 5).value == 0.1
    low, high = median_interval([0.1] * 6)[1:3]
    assert low is not None and high is not None and low < 0.1 < high
    with pytest.raises(ValueError, match="at least one launch"):
        median_interval([])


@settings(max_examples=20)
@given(st.lists(small, min_size=6, max_size=12), small)
def test_the_interval_moves_with_the_differences(d: list[float], shift: float) -> None:
    here, there = median_interval(d), median_interval([x + shift for x in d])
    assert there.low == pytest.approx(here.low + shift, abs=1e-6)  # type: ignore[operator]
    assert there.high == pytest.approx(here.high + shift, abs=1e-6)  # type: ignore[operator]


def test_the_interval_covers_the_truth_wherever_one_stops() -> None:
    differences = lockstep(200, 5) + 0.04
    missed = 0
    for d in differences:
        low, high = median_interval(d)[1:3]  # the running one: it covers only if all on the way did
        assert low is not None and high is not None
        missed += not low <= 0.04 <= high
    assert missed / 200 <= 0.05


# --- what can be seen ------------------------------------------------------------------------------------------------


def test_what_is_said_to_be_seen_is_seen() -> None:
    generator = np.random.default_rng(6)
    noise = generator.normal(0, 0.04, 500)  # as good as known
    seen = smallest_seen(noise, 24, 0.01)
    assert seen is not None and 0.02 < seen < 0.06
    fresh = generator.normal(seen, 0.04, (2000, 24))
    assert 0.7 < np.mean(evidence_above(fresh).max(axis=1) >= log(100)) < 0.9


def test_more_launches_and_less_noise_see_more() -> None:
    noise = np.random.default_rng(7).normal(0, 0.04, 20)
    few, many = smallest_seen(noise, 8, 0.01), smallest_seen(noise, 24, 0.01)
    quiet = smallest_seen(noise / 4, 24, 0.01)
    assert few is not None and many is not None and quiet is not None and few > many > quiet


def test_what_can_not_be_known_is_not_said() -> None:
    assert smallest_seen([0.0, 0.1], 24, 0.01) is None
    assert smallest_seen([0.0, 0.1, 0.2], 6, 0.01) is None
    no_noise = smallest_seen([0.1, 0.1, 0.1], 24, 0.01)
    assert no_noise is not None and 0 < no_noise < 0.01
