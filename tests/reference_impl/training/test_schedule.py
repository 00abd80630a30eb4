import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_impl.training.schedule import learning_rate_at


def test_values_of_a_short_run() -> None:
    rates = [learning_rate_at(step, 10, peak=1.0, warmup=0.2, final=0.1) for step in range(10)]
    cosine = [0.1 + 0.9 * (1 + math.cos(math.pi * part / 8)) / 2 for part in range(1, 9)]
    assert rates == pytest.approx([0.5, 1.0, *cosine])
    assert rates[-1] == pytest.approx(0.1)


def test_without_warmup_and_to_zero() -> None:
    rates = [learning_rate_at(step, 2, peak=2.0, warmup=0.0, final=0.0) for step in range(2)]
    assert rates == pytest.approx([1.0, 0.0])


@given(st.integers(1, 500), st.floats(0, 1), st.floats(0, 1))
def test_it_rises_then_falls_and_stays_between_its_ends(steps: int, warmup: float, final: float) -> None:
    rates = [learning_rate_at(step, steps, 3e-3, warmup, final) for step in range(steps)]
    top = rates.index(max(rates))
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top:] == sorted(rates[top:], reverse=True)
    assert all(0 <= rate <= 3e-3 * (1 + 1e-12) for rate in rates)
    if warmup > 0:
        assert max(rates) == pytest.approx(3e-3)
        assert top == math.ceil(warmup * steps) - 1 or final == 1
