"""The slope of a line against scipy, and its misfit under its own null and off it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from harness.statistics.line_slope import line_misfit, slope_by_scatter, slope_weights

X = np.array([0.0, 1.0, 2.0, 3.5, 5.0])


def test_slope_and_interval_are_those_of_ordinary_least_squares() -> None:
    y = 2 * X + np.array([0.3, -0.2, 0.1, 0.4, -0.5])
    wanted = stats.linregress(X, y)
    half = stats.t.ppf(0.975, 3) * wanted.stderr
    assert slope_weights(X) @ y == pytest.approx(wanted.slope)
    assert slope_by_scatter(X, y) == pytest.approx((wanted.slope - half, wanted.slope + half))
    with pytest.raises(ValueError, match="at least three"):
        slope_by_scatter(X[:2], y[:2])


@pytest.mark.parametrize(("curve", "least", "most"), [(0.1 * X, 0.0, 0.1), (0.1 * X**2, 0.9, 1.0)])
def test_misfit_is_rare_on_a_line_and_seen_off_it(curve: np.ndarray, least: float, most: float) -> None:
    generator = np.random.default_rng(0)
    found = []
    for _ in range(200):
        documents = curve + generator.normal(size=(100, 1)) + generator.normal(0, 0.5, size=(100, 5))
        y = documents.mean(axis=0)
        p_value = line_misfit(X, y, (documents - y) / 100)
        assert p_value is not None
        found.append(p_value < 0.05)
    assert least <= np.mean(found) <= most


def test_few_points_or_documents_tell_no_misfit() -> None:
    assert line_misfit(X[:2], X[:2], np.ones((50, 2))) is None
    assert line_misfit(X, X, np.ones((5, 5))) is None
