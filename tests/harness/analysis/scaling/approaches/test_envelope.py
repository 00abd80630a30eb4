"""Approach 1: the envelope of loss curves, and where it says that it was cut off."""

from __future__ import annotations

import numpy as np
import pytest

from harness.analysis.scaling.allocation import optimum
from harness.analysis.scaling.approaches.envelope import convex_hull, envelope
from harness.analysis.scaling.laws.chinchilla import Chinchilla
from harness.analysis.scaling.runs import Runs, six_nd
from harness.errors import UserError

LAW = Chinchilla()
TRUTH = np.array([1.69, 406.4, 410.7, 0.34, 0.28])
TRUE_A = 0.28 / 0.62


def curves(sizes: np.ndarray, low: float = 1e17, high: float = 1e22, noise: float = 0.0, points: int = 40) -> Runs:
    """Loss curves of each size from one compute to another."""
    compute = np.tile(np.geomspace(low, high, points), len(sizes))
    parameters = np.repeat(sizes, points)
    tokens = compute / 6 / parameters
    loss = LAW.predict(TRUTH, parameters, tokens) * np.exp(noise * np.random.default_rng(1).normal(size=len(tokens)))
    groups = tuple(f"{size:.3g}" for size in parameters)
    return Runs(parameters, tokens, loss, six_nd(parameters, tokens), groups=groups)


def test_the_envelope_of_exact_curves_finds_the_true_exponents() -> None:
    found = envelope(curves(np.geomspace(2e7, 2e10, 40)), replicates=200)
    a, b = found.exponent_of_parameters(), found.exponent_of_tokens()
    assert a.value == pytest.approx(TRUE_A, abs=0.01)
    assert b.value == pytest.approx(1 - TRUE_A, abs=0.01)
    assert a.low < TRUE_A < a.high
    assert "bootstrap over 40 training runs" in a.how


def test_the_hull_agrees_and_both_predict_the_optimum() -> None:
    runs = curves(np.geomspace(2e7, 2e10, 40))
    size, tokens = optimum(LAW, TRUTH, np.array([1e21]))
    for found in (envelope(runs, replicates=50), convex_hull(runs, replicates=50)):
        assert found.parameters_at(np.array([1e21])).value[0] == pytest.approx(size[0], rel=0.1)
        ratio = found.tokens_per_parameter_at(np.array([1e21]))
        assert ratio.value[0] == pytest.approx(tokens[0] / size[0], rel=0.2)
        assert ratio.low[0] < ratio.value[0] < ratio.high[0]


def test_each_winner_has_the_lowest_loss_of_all_curves_at_its_compute() -> None:
    runs = curves(np.geomspace(1e8, 1e10, 8), noise=0.01)
    found = envelope(runs, replicates=10)
    for compute, size in zip(found.compute[::20], found.parameters[::20], strict=True):
        best = {}
        for name in set(runs.groups or ()):
            rows = [row for row, group in enumerate(runs.groups or ()) if group == name]
            best[runs.parameters[rows[0]]] = np.interp(np.log(compute), np.log(runs.compute[rows]), runs.loss[rows])
        assert size == pytest.approx(min(best, key=lambda each: best[each]))


def test_edges_and_runs_that_ended_too_early_are_told() -> None:
    few = envelope(curves(np.geomspace(3e8, 2e9, 5)), replicates=20)
    assert any("smallest or the largest" in warning for warning in few.warnings)
    sizes = np.geomspace(1e8, 1e10, 8)
    whole = curves(sizes)
    short = whole.only(whole.tokens < 8 * whole.parameters)
    assert any("ended while they were the best" in warning for warning in envelope(short, replicates=20).warnings)
    assert not any("ended" in warning for warning in envelope(whole, replicates=20).warnings)


def test_points_without_curves_are_refused() -> None:
    runs = curves(np.geomspace(1e8, 1e10, 8))
    with pytest.raises(UserError, match="approach 1 compares loss curves"):
        envelope(runs.only(np.arange(len(runs)) % 40 == 3))


def test_without_groups_runs_of_one_size_are_a_curve() -> None:
    runs = curves(np.geomspace(2e7, 2e10, 20))
    bare = Runs(runs.parameters, runs.tokens, runs.loss, runs.compute)
    one, two = envelope(runs, replicates=20), envelope(bare, replicates=20)
    assert one.exponent_of_parameters().value == two.exponent_of_parameters().value
    assert "sizes" in two.exponent_of_parameters().how
