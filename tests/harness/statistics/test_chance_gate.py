"""The chance gate: exact binomials, Holm, and where a curve leaves chance."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.statistics.chance_gate import chance_gate, gate_power, holm, items_needed


def exact_tail(correct: int, n: int, chance: float) -> float:
    return sum(comb(n, k) * chance**k * (1 - chance) ** (n - k) for k in range(correct, n + 1))


@settings(deadline=None)
@given(st.integers(1, 40).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n))), st.floats(0.01, 0.9))
def test_p_values_are_the_sum_of_the_tail(counts: tuple[int, int], chance: float) -> None:
    n, correct = counts
    assert chance_gate([correct], [n], chance).p_values[0] == pytest.approx(exact_tail(correct, n, chance), rel=1e-7)


def test_holm_steps_down() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.9, 0.6]) == pytest.approx([1.0, 1.0])


def test_the_first_scale_from_which_on_all_are_above() -> None:
    gate = chance_gate([25, 60, 26, 60, 80], [100] * 5, 0.25)
    assert gate.above.tolist() == [False, True, False, True, True] and gate.first == 3
    assert chance_gate([60, 25], [100, 100], 0.25).first is None


def test_at_chance_0_any_success_is_above() -> None:
    gate = chance_gate([0, 1, 0, 2], [500, 20, 500, 500], 0.0)
    assert gate.above.tolist() == [False, True, False, True] and gate.first == 3


def test_counts_that_are_not_whole_are_rounded_down() -> None:
    assert chance_gate([5.9], [10.0], 0.25).p_values[0] == chance_gate([5], [10], 0.25).p_values[0]


@pytest.mark.parametrize("bad", [([3], [2], 0.2), ([1, 2], [3], 0.2), ([1], [3], 1.0), ([-1], [3], 0.2)])
def test_what_is_no_count_is_refused(bad: tuple[list[int], list[int], float]) -> None:
    with pytest.raises(ValueError):
        chance_gate(*bad)


def test_items_needed_have_the_power_and_half_of_them_have_not() -> None:
    needed = items_needed(0.25, 0.2, 6)
    assert gate_power(needed, 0.25, 0.2, 6) >= 0.8 > gate_power(needed / 2, 0.25, 0.2, 6)
    generator = np.random.default_rng(0)
    drawn = generator.binomial(needed, 0.45, 4000)
    passed = [chance_gate([c, *[0] * 5], [needed] * 6, 0.25).above[0] for c in drawn]
    assert np.mean(passed) == pytest.approx(gate_power(needed, 0.25, 0.2, 6), abs=0.03)
