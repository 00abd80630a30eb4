import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_impl.training.schedule import DECAYS, ScheduleName, learning_rate_at


def rates_of(name: ScheduleName, steps: int, **settings: float) -> list[float]:
    return [learning_rate_at(step, steps, 1.0, schedule=name, **settings) for step in range(steps)]


def test_values_of_a_short_cosine() -> None:
    rates = rates_of("cosine", 10, warmup=0.2, final=0.1)
    cosine = [0.1 + 0.9 * (1 + math.cos(math.pi * part / 8)) / 2 for part in range(1, 9)]
    assert rates == pytest.approx([0.5, 1.0, *cosine])
    assert rates[-1] == pytest.approx(0.1)


def test_values_of_a_short_line() -> None:
    assert rates_of("linear", 6, warmup=1 / 3, final=0.0) == pytest.approx([0.5, 1.0, 0.75, 0.5, 0.25, 0.0])


def test_values_of_a_short_wsd() -> None:
    fall = [1 - math.sqrt(part / 4) for part in range(1, 5)]
    assert rates_of("wsd", 12, warmup=1 / 6, final=0.0, decay=0.4) == pytest.approx([0.5, *[1.0] * 7, *fall])
    assert rates_of("wsd", 12, warmup=1 / 6, final=0.5, decay=0.4)[-1] == pytest.approx(0.5)


def test_values_of_a_constant() -> None:
    assert rates_of("constant", 4, warmup=0.5, final=0.1) == [0.5, 1.0, 1.0, 1.0]


@pytest.mark.parametrize("name", DECAYS)
def test_without_warmup_the_first_step_is_on_the_way_down_already(name: ScheduleName) -> None:
    rates = [learning_rate_at(step, 2, peak=2.0, schedule=name, decay=0.5) for step in range(2)]
    assert rates == pytest.approx({"constant": [2.0, 2.0], "wsd": [2.0, 0.0]}.get(name, [1.0, 0.0]))


@given(st.sampled_from(list(DECAYS)), st.integers(1, 500), st.floats(0, 1), st.floats(0, 1), st.floats(0.01, 1))
def test_it_rises_then_falls_and_stays_between_its_ends(
    name: ScheduleName, steps: int, warmup: float, final: float, decay: float
) -> None:
    rates = rates_of(name, steps, warmup=warmup, final=final, decay=decay)
    top = max(math.ceil(warmup * steps) - 1, 0)
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top:] == sorted(rates[top:], reverse=True)
    assert all(0 < rate <= 1 + 1e-12 or (rate >= 0 and final == 0) for rate in rates)
    if warmup > 0:
        assert rates[top] == pytest.approx(1.0)
    if name != "constant" and warmup * steps <= steps - 1:
        assert rates[-1] == pytest.approx(final, abs=1e-12)
