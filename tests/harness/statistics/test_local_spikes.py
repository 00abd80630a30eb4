"""What is shorter than a segment is cut, and steps stay where they are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.statistics.local_spikes import without_spikes


def test_a_spike_is_brought_to_its_neighborhood() -> None:
    values = np.tile([1.0, 2.0, 3.0], 10)
    values[14] = 1000.0
    found = without_spikes(values, 5)
    assert found[14] == pytest.approx(2 + 3 * 1.4826)
    assert np.array_equal(np.delete(found, 14), np.delete(values, 14))


@pytest.mark.parametrize("length", [1, 2, 3, 4])
def test_spikes_on_a_constant_are_cut(length: int) -> None:
    """Most values equal their neighbors: the mean distance is the measure, which is nearly nothing."""
    for start in (0, 9, 100 - length):
        values = np.full(100, 7.0)
        values[start : start + length] = 1007.0
        assert without_spikes(values, 5).max() < 7 + 4 * length / 100 * 1000
        assert np.array_equal(without_spikes(values, 5) == 7, values == 7)


@given(st.lists(st.integers(5, 9), min_size=1, max_size=6))
def test_segments_of_at_least_the_shortest_stay_whole(lengths: list[int]) -> None:
    levels = np.where(np.arange(len(lengths)) % 2, 100.0, 1.0)
    values = np.repeat(levels, lengths)
    assert np.array_equal(without_spikes(values, 5), values)
