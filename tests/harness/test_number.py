"""Numbers as they are shown."""

from __future__ import annotations

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from harness.number import PLAIN, Scale, count, duration, plain, scale, shown, with_interval


@pytest.mark.parametrize(
    ("value", "low", "high", "unit", "text"),
    [
        (12.3412, 12.012, 12.698, None, "12.34 [12.01, 12.70]"),
        (0.00831, None, None, "s", "8.310 ms"),
        (8.31, 8.2, 8.4, "ms", "8.31 [8.20, 8.40] ms"),
        (20_871.0, None, None, "ms", "20.87 s"),
        (540_238_643.2, None, None, "bytes", "515.2 MiB"),
        (900.0, None, None, "bytes", "900 B"),
        (0.3812, 0.3741, 0.3906, "fraction", "38.12 [37.41, 39.06]%"),
        (88_024.1, 86_980.0, 89_310.0, "tokens/s", "88,024 [86,980, 89,310] tokens/s"),
        (1.0, 1.0, 1.0, "ratio", "1"),
        (17_946.0, None, None, "tokens", "17,946 tokens"),
        (1e-7, None, None, None, "1e-07"),
        (None, None, None, "ms", "–"),
        (math.inf, None, None, None, "∞"),
        (math.nan, None, None, None, "–"),
        (math.inf, 2.0, math.inf, None, "∞"),
        (274432.0, 274432.0 * (1 - 6e-15), 274432.0 * (1 + 6e-15), None, "274,432"),
        (math.inf, 1.0, 2.0, None, "∞"),
        (math.nan, 1.0, 2.0, None, "–"),
        (2.0, 1.0, math.inf, None, "2 [1, ∞]"),
        (0.0, -1.0, 1.0, None, "0.0 [-1.0, 1.0]"),
    ],
)
def test_with_interval(value: float, low: float, high: float, unit: str, text: str) -> None:
    assert with_interval(value, low, high, unit) == text


def test_a_column_shares_its_unit() -> None:
    chosen = scale([1.4, 575.0, 20_000.0], "ms")
    assert chosen.unit == "ms"
    assert str(shown(20_000.0, None, None, chosen)) == "20,000"
    assert scale([3e6, 5e8], "bytes").unit == "MiB"
    assert scale([], "bytes").unit == "B" and scale([None, math.nan, 0.0], "ms").unit == "ms"


@pytest.mark.parametrize(
    ("value", "low", "high", "scale", "spread"),
    [
        (100.0, 95.0, 105.0, PLAIN, "±5.0%"),
        (100.0, 94.99, 105.01, PLAIN, "±5.0%"),
        (100.0, 98.0, 105.0, PLAIN, "[98.0, 105.0]"),
        (100.0, 95.0, 100.0, PLAIN, "[95.0, 100.0]"),
        (100.0, 101.0, 105.0, PLAIN, "[101.0, 105.0]"),
        (0.5, 0.46, 0.54, Scale(1, "share"), "±0.040"),
        (-1.0, -42.0, 40.0, PLAIN, "±41"),
        (0.75, 0.6, 0.83, Scale(1, "share"), "[0.60, 0.83]"),
        (0.0, -0.1, 0.1, PLAIN, "[-0.10, 0.10]"),
        (0.0, 0.0, 0.2, PLAIN, "[0.00, 0.20]"),
        (2.0, 1.0, math.inf, PLAIN, "[1, ∞]"),
        (2.0, -math.inf, math.inf, PLAIN, "[-∞, ∞]"),
        (2.0, 2.0, 2.0, PLAIN, ""),
        (2.0, None, 2.0, PLAIN, ""),
        (2.0, math.nan, 3.0, PLAIN, ""),
    ],
)
def test_a_spread_is_of_both_ends_or_they_are_both_shown(
    value: float, low: float | None, high: float | None, scale: Scale, spread: str
) -> None:
    assert shown(value, low, high, scale).spread == spread


@given(st.floats(1e-6, 1e6), st.floats(0.02, 0.9), st.floats(0.02, 0.9))
def test_what_is_shown_with_plus_minus_is_as_far_on_both_sides(value: float, below: float, above: float) -> None:
    spread = shown(value, value * (1 - below), value * (1 + above)).spread
    if spread.startswith("±"):
        assert below == pytest.approx(above, rel=0.12)
        assert float(spread.strip("±%")) == pytest.approx(100 * above, rel=0.12)


@given(st.floats(-1e12, 1e12), st.floats(1e-9, 1e9))
def test_shown_digits_lie_within_the_interval(value: float, half: float) -> None:
    """Rounding never moves a value out of its own interval by more than the last digit shown."""
    # where the ends differ by no more than rounding they are one number, and there is no interval
    assume(not math.isclose(value - half, value + half, rel_tol=1e-12))
    text = shown(value, value - half, value + half)
    got = float(text.value.replace(",", ""))
    assert abs(got - value) <= max(half, abs(value) * 1e-5)


@given(st.one_of(st.none(), st.floats()))
def test_every_float_has_a_look(value: float | None) -> None:
    assert plain(value) and with_interval(value, value, value, "bytes") and count(value if value == value else None)


def test_counts_and_durations() -> None:
    assert [count(n) for n in (134_515_008, 820_000, 950, 1e12, None)] == ["134.5 M", "820.0 k", "950", "1.000 T", "–"]
    assert [duration(s) for s in (3.21, 251, 3720, 60, None)] == ["3.2 s", "4 min 11 s", "1 h 2 min", "1 min", "–"]
