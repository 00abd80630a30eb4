"""A scaling law of five parameters, fitted from all its starts."""

from __future__ import annotations

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture
from scipy.optimize import minimize

from harness.analysis.scaling.fitting.fit import fit
from harness.analysis.scaling.laws.chinchilla import Chinchilla
from harness.analysis.scaling.runs import Runs, six_nd

TRUTH = np.array([1.8172, 482.0, 2085.4, 0.3478, 0.3658])


def planted(count: int) -> Runs:
    """Runs on a known law, with noise of 0.2 %."""
    generator = np.random.default_rng(0)
    parameters, tokens = np.exp(generator.uniform(np.log([1e7, 1e9]), np.log([1e10, 1e12]), (count, 2))).T
    loss = Chinchilla().predict(TRUTH, parameters, tokens) * np.exp(0.002 * generator.normal(size=count))
    return Runs(parameters, tokens, loss, six_nd(parameters, tokens))


@pytest.mark.benchmark(group="fitting")
def test_a_scaling_law(benchmark: BenchmarkFixture) -> None:
    """240 runs, as many as Hoffmann et al. published."""
    law, runs = Chinchilla(), planted(240)
    found = benchmark(fit, law, runs)
    losses, posed = found.objective.losses, found.problem
    slow = minimize(
        lambda internal: float(losses(posed.evaluate(internal[None])[0] - posed.response).sum()),
        found.internal + 0.01,
        method="Nelder-Mead",
        options={"maxiter": 20_000, "maxfev": 20_000, "xatol": 1e-9, "fatol": 1e-15, "adaptive": True},
    )
    assert found.value <= slow.fun * (1 + 1e-6)
    assert found.value == pytest.approx(slow.fun, rel=1e-3)
