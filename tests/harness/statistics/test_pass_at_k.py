"""pass@k against counting every choice of k samples."""

from itertools import combinations
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.statistics.pass_at_k import pass_at_k


@given(st.integers(1, 9), st.data())
def test_against_enumeration(n: int, data: st.DataObject) -> None:
    c, k = data.draw(st.integers(0, n)), data.draw(st.integers(1, n))
    chosen = list(combinations([True] * c + [False] * (n - c), k))
    assert pass_at_k(n, c, k) == pytest.approx(sum(any(some) for some in chosen) / len(chosen))


def test_large_n_neither_overflows_nor_cancels() -> None:
    assert pass_at_k(2000, 3, 100) == pytest.approx(float(1 - comb(1997, 100) / comb(2000, 100)), rel=1e-12)
    assert pass_at_k(200, 200, 1) == 1.0


def test_the_biased_formula_is_another_number() -> None:
    """Known bad: 1 - (1 - c/n)^k is too low."""
    assert pass_at_k(10, 2, 5) > 1 - (1 - 2 / 10) ** 5 + 0.05


@pytest.mark.parametrize(("n", "c", "k"), [(3, 4, 1), (3, 1, 4), (3, 1, 0), (3, -1, 1)])
def test_what_cannot_be_is_refused(n: int, c: int, k: int) -> None:
    with pytest.raises(ValueError, match="samples"):
        pass_at_k(n, c, k)
