"""Steps that must be found, series that must stay silent, and the fast search against all partitions."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.statistics.change_points import PENALTY, SHORTEST, ChangePoint, change_points
from harness.statistics.local_spikes import without_spikes
from harness.statistics.step_fits import Floats, Segments, step_fits
from tests.harness.statistics.test_step_fits import dense, partitions


def noise(seed: int, n: int = 100, rho: float = 0.0) -> Floats:
    """Normal noise about 100 with a standard deviation of 5, of which each value carries a part on."""
    drawn = np.random.default_rng(seed).normal(size=n + 100)
    for place in range(1, len(drawn)):
        drawn[place] = rho * drawn[place - 1] + np.sqrt(1 - rho**2) * drawn[place]
    return 100 + 5 * drawn[100:]


def places(values: Any, **settings: float) -> list[int]:
    return [point.index for point in change_points(values, **settings)]


# --- known bad -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("start", [50, 92])
def test_a_planted_step_is_found(seed: int, start: int) -> None:
    values = noise(seed)
    values[start:] += 20
    (found,) = change_points(values)
    assert abs(found.index - start) <= 2
    assert found.earliest - 1 <= start <= found.latest + 1
    assert found.change.low is not None and found.change.high is not None
    assert 10 < found.change.low < found.change.value < found.change.high < 30


def test_the_places_it_may_have_hold_the_true_one() -> None:
    held = seen = 0
    for seed in range(60):
        values = noise(seed)
        values[60:] += 12
        for point in change_points(values):
            seen += 1
            held += point.earliest <= 60 <= point.latest
    assert seen >= 58 and held >= 0.9 * seen


def test_two_steps_that_undo_each_other_are_found() -> None:
    values = noise(3)
    values[40:55] += 20
    assert places(values) == pytest.approx([40, 55], abs=2)


def test_many_steps_are_found() -> None:
    values = np.concatenate([noise(7, 500) + 40 * np.repeat(np.arange(25) % 2, 20)])
    assert places(values) == pytest.approx(list(range(20, 500, 20)), abs=2)


@pytest.mark.parametrize("rho", [-0.5, 0.0, 0.5])
def test_nothing_is_found_where_nothing_is(rho: float) -> None:
    assert [places(noise(seed, rho=rho)) for seed in range(40)] == [[]] * 40


def test_the_correlation_is_what_keeps_it_silent() -> None:
    """Known bad: the same steps weighed as if neighbors were independent call wandering noise a step."""
    independent = np.array([0.0])
    called = 0
    for seed in range(40):
        series = without_spikes((noise(seed, rho=0.7) - 100) / 5, SHORTEST)
        costs = step_fits(Segments(series, independent), 100, 1, most=6, shortest=SHORTEST).costs[0]
        called += int(np.argmin(100 * np.log(costs) + PENALTY * np.arange(7))) > 0
    assert called >= 20
    assert sum(bool(places(noise(seed, rho=0.7))) for seed in range(40)) <= 2


@pytest.mark.parametrize("start", [0, 50, 98, 99])
def test_a_spike_is_no_step(start: int) -> None:
    for seed in range(10):
        values = noise(seed)
        values[start] = 1e4
        assert places(values) == []


@pytest.mark.parametrize("start", [0, 17, 39])
def test_a_spike_on_a_constant_is_no_step(start: int) -> None:
    assert places([10.0] * start + [10.5] + [10.0] * (39 - start)) == []


def test_segments_have_five_values() -> None:
    assert places([10.0] * 30 + [20.0] * 4) == []
    assert places([10.0] * 30 + [20.0] * 5) == [30]
    assert places([10.0] * 4 + [20.0] * 30) == []
    assert places([10.0] * 20 + [20.0] * 5 + [10.0] * 20) == [20, 25]


# --- against all partitions ------------------------------------------------------------------------------------------


def by_all_partitions(values: Floats, penalty: float) -> tuple[int, ...]:
    """What weighs least of all partitions and correlations, each segment by a dense matrix."""
    n = len(values)
    series = without_spikes(values - np.median(values), SHORTEST)
    weighed = {}
    for rho in np.arange(7) * 0.15:
        for count in range(n // SHORTEST):
            for steps in partitions(n, SHORTEST, count):
                cost = sum(dense(part, rho)[0] for part in np.split(series, steps))
                weighed[steps, rho] = n * np.log(cost / n) - (count + 1) * np.log(1 - rho**2) + penalty * count
    return min(weighed, key=lambda choice: weighed[choice])[0]


@pytest.mark.parametrize("penalty", [3.0, 10.0, PENALTY])
def test_it_is_the_best_of_all_partitions(penalty: float) -> None:
    found = set()
    for seed in range(6):
        generator = np.random.default_rng(seed)
        values = generator.normal(size=17) + np.repeat(generator.choice([0.0, 6.0], 4), [5, 4, 3, 5])
        expected = by_all_partitions(values, penalty)
        assert tuple(places(values, penalty=penalty)) == expected
        found.add(len(expected))
    assert len(found) > 1


# --- properties ------------------------------------------------------------------------------------------------------


@given(st.integers(0, 1000), st.integers(20, 80))
@settings(max_examples=30, deadline=None)
def test_units_origin_and_direction_change_nothing(seed: int, start: int) -> None:
    values = noise(seed)
    values[start:] += 20
    found = places(values)
    assert places(values * 1e-9) == places(values + 12345) == places(-values) == found
    assert places(values[::-1]) == [len(values) - index for index in reversed(found)]


@given(st.lists(st.floats() | st.none() | st.sampled_from([1.0, 2.0, 1e308, -1e308, 5e-324]), max_size=60))
@settings(max_examples=200, deadline=None)
def test_any_values_have_an_answer(values: list[float | None]) -> None:
    found = change_points(values, penalty=5)
    assert all(0 <= a.index < b.index < len(values) for a, b in pairwise(found))
    for point in found:
        assert 0 < point.earliest <= point.index <= point.latest < len(values)
        assert values[point.index] is not None and np.isfinite(values[point.index])
        assert point.before.n >= SHORTEST and point.after.n >= SHORTEST


def test_levels_and_their_intervals() -> None:
    values = np.array([1.0, 2.0, 3.0] * 10 + [11.0, 12.0, 13.0] * 10)
    (found,) = change_points(values)
    assert (found.index, found.earliest, found.latest) == (30, 30, 30)
    assert found.before.value == pytest.approx(2) and found.after.value == pytest.approx(12)
    assert found.change.value == pytest.approx(10)
    assert (found.before.n, found.after.n, found.change.n) == (30, 30, 60)
    half = 2.00247 * np.sqrt(values[:30].var() * 60 / 57 / 30)  # Student's t with 57 degrees of freedom
    assert found.before.low == pytest.approx(2 - half, rel=1e-4)
    assert found.before.high == pytest.approx(2 + half, rel=1e-4)
    assert found.change.high == pytest.approx(10 + half * np.sqrt(2), rel=1e-4)


# --- what is no plain series -----------------------------------------------------------------------------------------


def test_missing_values_have_positions() -> None:
    values = [10.0, None, 11.0] * 10 + [np.nan, np.inf, -np.inf] + [20.0, 21.0, None] * 10
    (found,) = change_points(values)
    assert (found.index, found.earliest, found.latest) == (33, 33, 33)
    assert (found.before.n, found.after.n) == (20, 20)
    assert change_points(pd.Series(values)) == change_points(np.array(values, dtype=np.float64)) == [found]


@pytest.mark.parametrize("values", [[], [1.0], [1.0] * 4 + [9.0] * 5, [None] * 30, [np.inf] * 30, [1, None] * 9])
def test_too_few_values(values: list[float | None]) -> None:
    assert change_points(values) == []


def test_ten_values_are_enough_for_two_segments() -> None:
    assert places([1, 2, 1, 2, 1, 101, 102, 101, 102, 101]) == [5]


@pytest.mark.parametrize("level", [0, 5, -3.3, 1e308, 5e-324])
def test_a_constant_series(level: float) -> None:
    assert change_points([level] * 40) == []
    assert change_points([level] * 20 + [level + 1 + abs(level)] + [level] * 20) == []


def test_a_step_between_constants_is_exact() -> None:
    (found,) = change_points([10**9] * 20 + [10**9 + 1] * 20)
    assert found.index == found.earliest == found.latest == 20
    assert found.before.value == pytest.approx(1e9, abs=1e-3)
    assert found.change.value == pytest.approx(1, abs=1e-3)


def test_rounding_is_no_step() -> None:
    assert 0.1 + 0.2 != 0.3
    assert change_points([0.1 + 0.2] * 20 + [0.3] * 20) == []


def test_ties() -> None:
    generator = np.random.default_rng(0)
    values = np.round(generator.normal(100, 0.6, 100))
    assert len(set(values)) < 6
    assert places(values) == []
    values[60:] += 2
    assert places(values) == pytest.approx([60], abs=2)


def test_a_smallest_change() -> None:
    values = np.repeat([100.0, 101.0, 120.0, 119.5], 20) + np.tile([-0.1, 0.1], 40)
    assert places(values) == [20, 40, 60]
    assert places(values, smallest=2) == [40]
    assert places(values, smallest=20) == []
    assert places(np.log(values), smallest=np.log(1.02)) == [40]
    kept = change_points(values, smallest=2)[0]
    assert (kept.before.value, kept.after.value) == (pytest.approx(100.5), pytest.approx(119.75))


@pytest.mark.parametrize(
    ("values", "settings", "reason"),
    [
        ([[1.0, 2.0]], {}, "2 dimensions"),
        (3.0, {}, "0 dimensions"),
        (["fast"] * 20, {}, "one row of numbers.*fast"),
        ([10**400] * 20, {}, "one row of numbers.*too large"),
        ([1.0] * 20, {"penalty": 0}, "positive"),
        ([1.0] * 20, {"penalty": float("nan")}, "positive"),
        ([1.0] * 20, {"smallest": -0.1}, "0 or more"),
    ],
)
def test_bad_input(values: Any, settings: dict[str, float], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        change_points(values, **settings)


def test_it_is_plain_data() -> None:
    (found,) = change_points([10.0] * 20 + [20.0] * 20)
    assert isinstance(found, ChangePoint)
    assert all(type(value) is int for value in (found.index, found.earliest, found.latest, found.before.n))
    assert all(type(value) is float for value in found.before[:3])
