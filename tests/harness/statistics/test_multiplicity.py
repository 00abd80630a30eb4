"""Many tests at once, against scipy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import false_discovery_control

from harness.statistics.multiplicity import benjamini_hochberg, e_bonferroni


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_benjamini_and_hochberg_as_in_scipy(p: list[float]) -> None:
    np.testing.assert_allclose(benjamini_hochberg(p), false_discovery_control(p))


def test_what_is_no_p_value_is_refused() -> None:
    assert len(benjamini_hochberg([])) == 0
    for wrong in ([1.5], [float("nan")], [[0.1]]):
        with pytest.raises(ValueError, match="p-values"):
            benjamini_hochberg(wrong)


def test_bonferroni_of_e_values() -> None:
    assert list(e_bonferroni(np.log([99.0, 101.0]), 0.01)) == [False, False]
    assert list(e_bonferroni(np.log([199.0, 201.0]), 0.01)) == [False, True]
    assert list(e_bonferroni([], 0.01)) == []
