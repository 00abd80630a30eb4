"""Numbers as they are shown."""

from __future__ import annotations

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from harness.report.number import count, duration, plain, scale, shown, with_interval


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


def test_spread_is_the_farther_end() -> None:
    assert shown(100.0, 98.0, 105.0).spread == "±5.0%"
    assert shown(100.0, 50.0, 105.0).spread == "±50%"
    assert shown(1.0, 0.9996, 1.0002).spread == "±0.04%"
    assert shown(100.0, None, None).spread == "" and shown(100.0, 100.0, 100.0).spread == ""


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
