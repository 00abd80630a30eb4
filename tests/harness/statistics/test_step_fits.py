"""The dynamic program against all partitions, and its running sums against the normal distribution of AR(1) noise."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import toeplitz
from scipy.stats import multivariate_normal

from harness.statistics.step_fits import Floats, Segments, least_costs, step_fits

CORRELATIONS = np.array([0.0, 0.3, 0.9])


def dense(values: Floats, rho: float) -> tuple[float, float, float]:
    """Cost, level and weight of one segment, by the matrix of the noise's correlations."""
    n = len(values)
    precision = np.linalg.inv(toeplitz(rho ** np.arange(n)) / (1 - rho**2))
    weight = precision.sum()
    level = (precision @ values).sum() / weight
    return float((values - level) @ precision @ (values - level)), float(level), float(weight)


def partitions(n: int, shortest: int, steps: int, start: int = 0) -> Iterator[tuple[int, ...]]:
    """All ways to part start ... n - 1 into steps + 1 segments."""
    if steps == 0:
        if n - start >= shortest:
            yield ()
        return
    for step in range(start + shortest, n + 1):
        for rest in partitions(n, shortest, steps - 1, step):
            yield (step, *rest)


@given(st.integers(0, 2**32 - 1), st.integers(2, 14), st.integers(1, 4))
@settings(max_examples=60, deadline=None)
def test_it_is_the_best_of_all_partitions(seed: int, n: int, shortest: int) -> None:
    generator = np.random.default_rng(seed)
    values = generator.normal(size=n) + generator.choice([0.0, 2.0], n)
    most = n // shortest - 1
    if most < 0:
        return
    segments = Segments(values, CORRELATIONS)
    fits = step_fits(segments, n, len(CORRELATIONS), most, shortest)
    least = least_costs(segments, n, len(CORRELATIONS), shortest)
    assert least == pytest.approx(fits.costs.min(axis=1), abs=1e-9)
    for number, rho in enumerate(CORRELATIONS):
        for steps in range(min(most, 3) + 1):
            totals = {
                found: sum(dense(values[a:b], rho)[0] for a, b in zip((0, *found), (*found, n), strict=True))
                for found in partitions(n, shortest, steps)
            }
            assert fits.costs[number, steps] == pytest.approx(min(totals.values()), abs=1e-9)
            assert totals[tuple(fits.steps(number, steps))] == pytest.approx(min(totals.values()), abs=1e-9)


def test_costs_and_levels_are_those_of_the_matrix() -> None:
    values = np.random.default_rng(1).normal(size=30)
    segments = Segments(values, CORRELATIONS)
    starts, ends = np.array([0, 0, 7, 29]), np.array([30, 1, 13, 30])
    costs, (levels, weights) = segments.costs(starts, ends), segments.levels(starts, ends)
    for number, rho in enumerate(CORRELATIONS):
        for place, (start, end) in enumerate(zip(starts, ends, strict=True)):
            expected = dense(values[start:end], rho)
            found = costs[number, place], levels[number, place], weights[number, place]
            assert found == pytest.approx(expected, abs=1e-9)


def test_the_cost_is_the_exponent_of_the_likelihood() -> None:
    """-2 log L at the best level = n log(2 pi variance) - log(1 - rho²) + cost / variance."""
    values, rho, variance = np.random.default_rng(2).normal(size=12), 0.6, 1.7
    segments = Segments(values, np.array([rho]))
    whole = np.array([0]), np.array([12])
    cost, level = float(segments.costs(*whole)[0, 0]), float(segments.levels(*whole)[0][0, 0])
    covariance = variance * toeplitz(rho ** np.arange(12)) / (1 - rho**2)
    expected = -2 * multivariate_normal(np.full(12, level), covariance).logpdf(values)
    assert 12 * np.log(2 * np.pi * variance) - np.log(1 - rho**2) + cost / variance == pytest.approx(expected)


def test_too_few_values_for_two_segments() -> None:
    fits = step_fits(Segments(np.arange(9.0), CORRELATIONS), 9, 3, most=8, shortest=5)
    assert fits.costs.shape == (3, 1)
    assert fits.steps(0, 0) == []
