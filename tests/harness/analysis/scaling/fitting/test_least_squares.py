"""Many small robust fits at once, against scipy one at a time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from harness.analysis.scaling.fitting.least_squares import gradient, solve
from harness.analysis.scaling.fitting.objective import HUBER, LAD, SQUARES, Objective
from harness.analysis.scaling.laws.chinchilla import Chinchilla
from harness.analysis.scaling.laws.law import Floats

LAW = Chinchilla()
TRUTH = np.array([1.8, 480.0, 2000.0, 0.35, 0.37])


def data(seed: int, n: int = 60, noise: float = 0.005) -> tuple[Floats, Floats, Floats]:
    """Centered logs (2, n), center, log losses (n,) with heavy tails."""
    generator = np.random.default_rng(seed)
    size, tokens = np.exp(generator.uniform(np.log(5e7), np.log(1e10), n)), np.exp(generator.uniform(22, 26, n))
    loss = LAW.predict(TRUTH, size, tokens) * np.exp(noise * generator.standard_t(3, n))
    logs = np.log(np.stack([size, tokens]))
    center = LAW.center(logs)
    return logs - center[:, None], center, np.log(loss)


@pytest.mark.parametrize("objective", [HUBER, SQUARES], ids=lambda item: item.name)
def test_it_finds_what_scipy_finds(objective: Objective) -> None:
    logs, _, response = data(0)
    weights = np.random.default_rng(1).uniform(0.2, 2.0, len(response))

    def value(at: Floats) -> float:
        return float((weights * objective.losses(LAW.evaluate(at[None], logs)[0][0] - response)).sum())

    found = solve(
        lambda at: LAW.evaluate(at, logs), LAW.starts(logs, response), response, weights, objective, LAW.longest_steps
    )
    best = found.internal[found.objective.argmin()]
    scipys = minimize(
        value, best + 0.01, method="Nelder-Mead", options={"xatol": 1e-10, "fatol": 1e-16, "maxiter": 9000}
    )
    assert found.objective.min() <= scipys.fun * (1 + 1e-9)
    assert value(best) == pytest.approx(found.objective.min(), rel=1e-12)
    assert np.abs(best - scipys.x).max() < 1e-3


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6))
def test_problems_together_end_where_each_ends_alone(seed: int) -> None:
    logs, _, response = data(seed % 5)
    counts = np.random.default_rng(seed).multinomial(60, np.full(60, 1 / 60), size=5).astype(float)
    starts = np.tile(LAW.starts(logs, response)[30], (5, 1))

    def ended(rows: slice) -> Floats:
        return solve(
            lambda at: LAW.evaluate(at, logs),
            starts[rows],
            response,
            counts[rows],
            HUBER,
            LAW.longest_steps,
            tolerance=1e-13,
        ).objective

    together = ended(slice(None))
    alone = np.concatenate([ended(slice(row, row + 1)) for row in range(5)])
    np.testing.assert_allclose(together, alone, rtol=1e-8)


def test_counts_are_runs_that_stand_several_times() -> None:
    logs, _, response = data(3, n=40)
    counts = np.random.default_rng(0).multinomial(40, np.full(40, 1 / 40)).astype(float)
    rows = np.repeat(np.arange(40), counts.astype(int))
    start = LAW.starts(logs, response)[30:31]
    weighted = solve(
        lambda at: LAW.evaluate(at, logs), start, response, counts, HUBER, LAW.longest_steps, tolerance=1e-14
    )
    repeated = solve(
        lambda at: LAW.evaluate(at, logs[:, rows]),
        start,
        response[rows],
        np.ones(len(rows)),
        HUBER,
        LAW.longest_steps,
        tolerance=1e-14,
    )
    assert weighted.objective[0] == pytest.approx(repeated.objective[0], rel=1e-9)


def test_a_held_parameter_stays() -> None:
    logs, _, response = data(4)
    start = LAW.starts(logs, response)[30:31]
    free = np.array([True, True, True, False, True])
    found = solve(lambda at: LAW.evaluate(at, logs), start, response, np.ones(60), HUBER, LAW.longest_steps, free=free)
    assert found.internal[0, 3] == start[0, 3]
    assert (found.internal[0, free] != start[0, free]).all()


@pytest.mark.parametrize("objective", [HUBER, LAD, SQUARES], ids=lambda item: item.name)
def test_the_gradient_is_the_objective_s(objective: Objective) -> None:
    logs, _, response = data(5)
    weights = np.random.default_rng(1).uniform(0.2, 2.0, len(response))
    at, step = LAW.starts(logs, response)[20], 1e-6

    def value(where: Floats) -> float:
        return float((weights * objective.losses(LAW.evaluate(where[None], logs)[0][0] - response)).sum())

    slope, _ = gradient(lambda p: LAW.evaluate(p, logs), at[None], response, weights, objective)
    numeric = [(value(at + step * unit) - value(at - step * unit)) / (2 * step) for unit in np.eye(5)]
    np.testing.assert_allclose(slope[0], numeric, rtol=1e-5, atol=1e-12)


@given(st.floats(-2, 2), st.floats(1e-6, 1.0))
def test_huber_is_a_parabola_within_and_straight_beyond(residual: float, threshold: float) -> None:
    loss = Objective("h", threshold).losses(np.array([residual]))[0]
    size = abs(residual)
    expected = size**2 / 2 if size <= threshold else threshold * (size - threshold / 2)
    assert loss == pytest.approx(expected, rel=1e-9, abs=1e-15)
