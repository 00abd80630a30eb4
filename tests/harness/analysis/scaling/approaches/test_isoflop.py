"""Approach 2: budgets, minima by four curves, and the bias of a parabola on a grid that is not centered."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.analysis.scaling.allocation import optimum
from harness.analysis.scaling.approaches.isoflop import IsoFlop, find_budgets, isoflop
from harness.analysis.scaling.approaches.isoflop_minimum import minima
from harness.analysis.scaling.laws.chinchilla import Chinchilla
from harness.analysis.scaling.runs import Runs, six_nd
from harness.errors import UserError

LAW = Chinchilla()
TRUTH = np.array([1.69, 406.4, 410.7, 0.34, 0.28])
TRUE_A = 0.28 / 0.62
BUDGETS = np.geomspace(1e18, 1e22, 5)
FAR = np.array([4e25])


def grid(
    width: float,
    off: float | np.ndarray = 1.0,
    points: int = 15,
    noise: float = 0.0,
    jitter: float = 0.0,
    seed: int = 0,
) -> Runs:
    """At each budget sizes from the optimum / width to the optimum · width, shifted by a factor `off`."""
    generator = np.random.default_rng(seed)
    compute = np.repeat(BUDGETS, points)
    best = np.repeat(optimum(LAW, TRUTH, BUDGETS)[0] * np.asarray(off), points)
    sizes = best * np.tile(np.geomspace(1 / width, width, points), len(BUDGETS))
    compute = compute * np.exp(jitter * generator.uniform(-1, 1, len(compute)))
    tokens = compute / 6 / sizes
    loss = LAW.predict(TRUTH, sizes, tokens) * np.exp(noise * generator.normal(size=len(sizes)))
    return Runs(sizes, tokens, loss, six_nd(sizes, tokens))


@pytest.mark.parametrize(("width", "published"), [(2, 7.1101), (4, 5.6909), (8, 3.3761), (16, 0.2379)])
def test_the_published_bias_of_a_parabola_and_its_remedy(width: float, published: float) -> None:
    """Exact surface, grids whose center is a third of the optimum, extrapolated from 1e22 to 4e25 FLOPs."""
    found = isoflop(grid(width, 1 / 3), interpolants=["quadratic", "skewed"], replicates=5)
    truth = optimum(LAW, TRUTH, FAR)[1][0]
    assert 100 * (found.frontiers["quadratic"].tokens_at(FAR).value[0] / truth - 1) == pytest.approx(
        published, abs=1e-3
    )
    assert found.frontiers["skewed"].tokens_at(FAR).value[0] == pytest.approx(truth, rel=1e-6)
    place = "edge of the sizes or outside" if width == 2 else "off-center grid"
    assert any(place in warning and "quadratic" in warning for warning in found.warnings)


def test_a_drifting_centre_biases_the_parabolas_exponent_and_not_the_skewed_curves() -> None:
    found = isoflop(grid(8, np.geomspace(1 / 3, 3, 5)), replicates=20)
    a = {name: line.exponent_of_parameters().value for name, line in found.frontiers.items()}
    assert abs(a["quadratic"] - TRUE_A) > 0.004
    assert a["skewed"] == pytest.approx(TRUE_A, abs=1e-6)
    assert any("disagree" in warning and "quadratic - skewed" in warning for warning in found.warnings)


def test_intervals_hold_the_truth_and_a_centered_grid_has_no_warning() -> None:
    found = isoflop(grid(6, noise=0.001), replicates=100)
    for name in ("quadratic", "cubic", "skewed"):
        a = found.frontiers[name].exponent_of_parameters()
        assert a.low < TRUE_A < a.high, name
        assert a.high - a.low < 0.06, name
        assert "runs within 5 budgets" in a.how
    assert not [warning for warning in found.warnings if "akima" not in warning]


def test_nearly_equal_budgets_are_found_and_named_ones_leave_the_rest_out() -> None:
    runs = grid(6, jitter=0.04)
    budgets = find_budgets(runs)
    assert [len(budget.rows) for budget in budgets] == [15] * 5
    assert [budget.compute for budget in budgets] == pytest.approx(BUDGETS.tolist(), rel=0.05)
    assert isoflop(runs, budgets, interpolants=["quadratic"], replicates=20).frontiers[
        "quadratic"
    ].exponent_of_parameters().value == pytest.approx(TRUE_A, abs=0.02)
    named = find_budgets(runs, given=[1e19, 1e21])
    assert [budget.compute for budget in named] == [1e19, 1e21]


def test_spread_compute_and_too_few_budgets_are_refused() -> None:
    sizes = np.geomspace(1e7, 1e9, 60)
    runs = Runs(sizes, np.full(60, 1e10), np.linspace(4, 3, 60), six_nd(sizes, np.full(60, 1e10)))
    with pytest.raises(UserError, match="has no gaps"):
        find_budgets(runs)
    with pytest.raises(UserError, match="at least two such budgets"):
        find_budgets(runs, given=[runs.compute[30]])


def warned(found: IsoFlop, words: str) -> bool:
    """Whether a warning has the words."""
    return any(words in warning for warning in found.warnings)


def test_warnings_by_name() -> None:
    assert warned(isoflop(grid(4, points=4), interpolants=["quadratic"], replicates=5), "fewer than 5 sizes")
    assert warned(isoflop(grid(2, 5), replicates=5), "smallest or the largest")
    runs = grid(6)
    upside = np.where(np.arange(75) < 15, 2 * runs.loss[:15].max() - runs.loss, runs.loss)
    found = isoflop(Runs(runs.parameters, runs.tokens, upside, runs.compute), interpolants=["quadratic"], replicates=5)
    assert warned(found, "not convex") and warned(found, "1e+18")
    assert len(found.frontiers["quadratic"].compute) == 4
    twice = Runs(runs.parameters, runs.tokens * runs.parameters**-0.2 * 50, runs.loss, runs.compute)
    assert warned(isoflop(twice, interpolants=["quadratic"], replicates=5), "times C / 6N*")


def test_weighting_by_spread_trusts_the_quiet_budgets() -> None:
    runs = grid(6, noise=0.0005)
    loud = runs.loss * np.where(np.arange(75) < 15, np.exp(np.random.default_rng(3).normal(size=75) * 0.05), 1)
    runs = Runs(runs.parameters, runs.tokens, loud, runs.compute)
    off = {
        weighting: abs(
            isoflop(runs, interpolants=["quadratic"], weighting=weighting, replicates=100)
            .frontiers["quadratic"]
            .exponent_of_parameters()
            .value
            - TRUE_A
        )
        for weighting in ("equal", "spread")
    }
    assert off["spread"] < off["equal"]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_minima_of_weights_are_minima_of_repeated_runs(seed: int) -> None:
    """A weight is a count: the slow way repeats the run. The lowest point of Akima's curve is a root of its derivative
    or one of the runs; a mesh shows that no other point is lower."""
    from scipy.interpolate import Akima1DInterpolator

    generator = np.random.default_rng(seed)
    at = np.sort(generator.uniform(-2, 2, 9)) + np.arange(9) * 0.01
    loss = (at - 0.3) ** 2 + 0.1 * at**3 / 3 + 0.05 * generator.normal(size=9)
    counts = generator.multinomial(9, np.full(9, 1 / 9)).astype(float)
    if (counts > 0).sum() < 5:
        counts += 1
    repeated = np.repeat(np.arange(9), counts.astype(int))
    mesh = np.linspace(-2.2, 2.4, 40_001)
    for name, degree in (("quadratic", 2), ("cubic", 3)):
        power = np.polynomial.Polynomial.fit(at[repeated], loss[repeated], degree)
        flat = [root.real for root in power.deriv().roots() if abs(root.imag) < 1e-9 and power.deriv(2)(root.real) > 0]
        where, lowest = minima(name, [at], [loss], [counts[None]])  # type: ignore[arg-type]
        if flat:
            assert where[0, 0] == pytest.approx(flat[0], rel=1e-5, abs=1e-5)
            assert lowest[0, 0] == pytest.approx(power(flat[0]), rel=1e-5, abs=1e-5)
        else:
            assert np.isnan(where[0, 0])
    there = counts > 0
    smooth = Akima1DInterpolator(at[there], loss[there])
    candidates = np.concatenate([smooth.derivative().roots(extrapolate=False), at[there]])
    candidates = candidates[np.isfinite(candidates)]  # a level piece has no single root
    where, lowest = minima("akima", [at], [loss], [counts[None]])
    assert lowest[0, 0] == pytest.approx(smooth(candidates).min(), abs=1e-6)
    assert smooth(np.clip(where[0, 0], *at[there][[0, -1]])) == pytest.approx(lowest[0, 0], abs=1e-6)
    inside = mesh[(mesh >= at[there].min()) & (mesh <= at[there].max())]
    assert lowest[0, 0] <= smooth(inside).min() + 1e-6


def test_the_skewed_curves_weights_are_counts_too() -> None:
    runs = grid(6, noise=0.002, points=8)
    at, loss = np.log(runs.parameters).reshape(5, 8), runs.loss.reshape(5, 8)
    counts = np.random.default_rng(2).integers(1, 4, size=(5, 8))
    ones = [np.ones((1, int(row.sum()))) for row in counts]
    weighted, _ = minima("skewed", list(at), list(loss), [row[None].astype(float) for row in counts])
    repeated, _ = minima(
        "skewed",
        [np.repeat(row, count) for row, count in zip(at, counts, strict=True)],
        [np.repeat(row, count) for row, count in zip(loss, counts, strict=True)],
        ones,
    )
    assert weighted[0] == pytest.approx(repeated[0], abs=1e-3)
