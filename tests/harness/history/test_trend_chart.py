"""The chart of a series: levels between steps, rules at breaks, and nothing without a place on an axis."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from harness.errors import UserError
from harness.history.folder import read_history
from harness.history.plot import plot
from harness.history.series import Series, series
from harness.history.trend_chart import trend_chart, trend_values
from tests.harness.history.generated import row, write


def made(folder: Path) -> Series:
    def value(number: int) -> float:
        return math.inf if number == 3 else (1.4 if number >= 20 else 1.0) + number % 3 / 500

    runs = [[row(number, value=value(number), pinned=("f" if number < 40 else "e") * 40)] for number in range(50)]
    runs += [[row(5, value=9.0, dirty=True, run_id="dirty")]]
    return series(read_history(write(folder, runs)), "decode_rate", folder=folder).series[0]


def test_a_chart_has_points_levels_and_breaks(tmp_path: Path) -> None:
    one = made(tmp_path)
    rows = trend_values(one)
    assert len(rows) == 50 and all(math.isfinite(at["value"]) for at in rows)
    levels = {round(at["level"], 1) for at in rows if at["level"] is not None}
    assert levels == {1.0, 1.4} and {at["segment"] for at in rows} == {0, 1}
    spec = str(trend_chart([one]).to_dict())
    assert "pinned commit (eeeeeeeeee, before ffffffffff)" in spec


def test_nothing_to_draw_is_one_sentence(tmp_path: Path) -> None:
    failed = write(tmp_path, [[row(0, value=None, status="failed", reason="it broke")]])
    one = series(read_history(failed), "decode_rate", folder=tmp_path).series
    with pytest.raises(UserError, match="nothing to draw"):
        trend_chart(one)
    assert plot(one[0].points, (), (), "ratio", 80) == []


def test_a_plot_has_a_column_for_each_point_or_more_points_in_a_column(tmp_path: Path) -> None:
    one = made(tmp_path)
    wide, narrow = (plot(one.points, one.breaks, one.steps, one.unit, width) for width in (120, 30))
    assert "".join(wide).count("●") == 49 and "".join(wide).count("○") == 1
    assert max(map(len, narrow)) <= 30 and "^" in wide[-1] and "┊" in wide[0]
    flat = [point for point in one.points if point.value == 1.0]
    assert len(plot(flat, (), (), "ratio", 40)) == 1
