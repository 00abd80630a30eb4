"""Constant, smooth and hinge: against a slow optimizer, at the edges, and their bootstrap tests."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit, logit

from harness.statistics.binomial_curve import fit_constant, fit_hinge, fit_smooth, log_likelihood, positions
from harness.statistics.curve_test import break_test, forward_prediction, trend_test

X = positions(np.geomspace(1e6, 1e9, 6))
N = np.full(6, 500.0)
Floats = NDArray[np.float64]


def slow_smooth(correct: Floats, floor: float) -> float:
    """The best log-likelihood without a ceiling from many starts of a simplex search."""

    def cost(theta: Floats) -> float:
        p = np.clip(floor + (1 - floor) * expit(theta[0] + theta[1] * X), 1e-12, 1 - 1e-12)
        return -float(log_likelihood(correct, N, p))

    starts = [(a, b) for a in (-6.0, -2.0, 1.0) for b in (0.2, 1.0, 4.0)]
    options = {"maxiter": 4000, "fatol": 1e-9, "xatol": 1e-9}
    return -min(minimize(cost, s, method="Nelder-Mead", options=options).fun for s in starts)


@pytest.mark.parametrize("chance", [0.0, 0.02, 0.25, 0.5])
def test_smooth_fits_are_as_likely_as_a_slow_search_finds(chance: float) -> None:
    generator = np.random.default_rng(3)
    slopes = np.array([0.0, 0.4, 1.0, 2.5])
    p = chance + (1 - chance) * expit(slopes[:, None] * (X - 1.0) - 0.5)
    correct = generator.binomial(500, p).astype(float)
    fit = fit_smooth(X, correct, N, chance, free=False)
    for row, counts in enumerate(correct):
        slow = max(slow_smooth(counts, floor) for floor in {0.0, chance})
        assert fit.log_likelihood[row] >= slow - 1e-3
        assert fit.log_likelihood[row] == pytest.approx(float(log_likelihood(counts, N, fit.p[row])))
    with_ceiling = fit_smooth(X, correct, N, chance)
    assert (with_ceiling.log_likelihood >= fit.log_likelihood - 1e-3).all()


def test_a_floor_beside_chance_is_found() -> None:
    p = 0.15 + 0.85 * expit(4 * (X - 0.5))
    fit = fit_smooth(X, np.rint(500 * p)[None], N, 0.25)
    assert fit.floor[0] == pytest.approx(0.15, abs=0.02) and np.abs(fit.p[0] - p).max() < 0.01


def test_a_ceiling_is_found() -> None:
    p = 0.6 * expit(4 * (X + 0.5))
    fit = fit_smooth(X, np.rint(500 * p)[None], N, 0.0)
    assert fit.ceiling[0] == pytest.approx(0.6, abs=0.02) and np.abs(fit.p[0] - p).max() < 0.01


def test_hinge_against_every_break_by_hand() -> None:
    generator = np.random.default_rng(4)
    p = expit(logit(0.25) + 0.9 * np.maximum(0, np.arange(6) - 2))
    correct = generator.binomial(500, p, (20, 6)).astype(float)
    hinge = fit_hinge(X, correct, N)
    assert np.median(hinge.flat) == 3
    for row, counts in enumerate(correct):
        best = -np.inf
        for flat in range(2, 6):
            q = counts[:flat].sum() / N[:flat].sum()
            part = slice(flat, 6)

            def cost(theta: Floats, part: slice = part, counts: Floats = counts) -> float:
                line = np.clip(expit(theta[0] + abs(theta[1]) * X[part]), 1e-12, 1 - 1e-12)
                return -float(log_likelihood(counts[part], N[part], line))

            found = minimize(cost, (0.0, 1.0), method="Nelder-Mead", options={"maxiter": 4000, "fatol": 1e-9})
            rises = expit(found.x[0] + abs(found.x[1]) * X[flat]) > q
            best = max(
                best, float(log_likelihood(counts[:flat], N[:flat], np.full(flat, q))) - found.fun if rises else best
            )
        assert hinge.log_likelihood[row] == pytest.approx(best, abs=1e-3)


@pytest.mark.parametrize(
    "counts", [[0.0] * 6, [500.0] * 6, [0, 0, 0, 0, 0, 500.0], [500.0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 1.0]]
)
def test_zeros_and_ones_have_finite_fits(counts: list[float]) -> None:
    c = np.array([counts])
    constant = fit_constant(c, N)[1]
    for chance in (0.0, 0.25):
        smooth, hinge = fit_smooth(X, c, N, chance), fit_hinge(X, c, N)
        assert np.isfinite(smooth.log_likelihood).all() and np.isfinite(hinge.log_likelihood).all()
        assert smooth.log_likelihood[0] >= constant[0] - 1e-3 and hinge.log_likelihood[0] >= constant[0] - 1e-5


def test_equal_counts_at_different_n() -> None:
    n = np.array([20.0, 1000, 35, 400, 10, 5000])
    found = trend_test(X, 0.25 * n[None], n, 0.25, 199)
    assert found.p_value[0] > 0.9


def test_tests_hold_their_level_and_have_power() -> None:
    """300 curves of each kind; the whole table is benchmarks/emergence_calibration.py."""
    generator = np.random.default_rng(5)
    flat = generator.binomial(500, 0.25, (100, 6)).astype(float)
    assert np.mean(trend_test(X, flat, N, 0.25, 99).p_value <= 0.05) <= 0.1
    smooth = generator.binomial(500, 0.25 + 0.75 * expit(1.2 * (X - 1)), (100, 6)).astype(float)
    assert np.mean(break_test(X, smooth, N, 0.25, 99).p_value <= 0.05) <= 0.1
    planted = expit(logit(0.25) + 1.2 * np.maximum(0, np.arange(6) - 2))
    assert (
        np.mean(break_test(X, generator.binomial(500, planted, (50, 6)).astype(float), N, 0.25, 99).p_value <= 0.05)
        > 0.7
    )


def test_forward_prediction() -> None:
    jump = np.array([125.0, 130, 121, 126, 124, 350])
    line = np.rint(500 * expit(0.5 * X))
    sudden, steady, nothing = forward_prediction(X, np.stack([jump, line, np.zeros(6)]), N)
    assert sudden.exceeds and not steady.exceeds and not nothing.exceeds
    assert steady.predicted == pytest.approx(expit(0.5 * X[-1]), abs=0.03) and steady.upper < 0.9


def test_scales_that_do_not_rise_are_refused() -> None:
    for bad in ([1.0], [1.0, 1.0], [2.0, 1.0], [0.0, 1.0], [1.0, np.inf]):
        with pytest.raises(ValueError):
            positions(bad)
