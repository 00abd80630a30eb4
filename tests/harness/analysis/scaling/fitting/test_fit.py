"""Fits and their certificates: what is planted is found, and what can't be believed is said."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.analysis.scaling.alike import alike
from harness.analysis.scaling.allocation import (
    compute_exponent,
    compute_for,
    loss_at_optimum,
    numeric_optimum,
    optimum,
    tokens_for,
)
from harness.analysis.scaling.fitting.fit import fit
from harness.analysis.scaling.fitting.objective import HUBER, LAD, SQUARES, Objective
from harness.analysis.scaling.fitting.prediction import predicted
from harness.analysis.scaling.fitting.profile import profile
from harness.analysis.scaling.fitting.uncertainty import Draws, Method, bootstrap, interval
from harness.analysis.scaling.laws.chinchilla import Chinchilla
from harness.analysis.scaling.laws.law import Floats
from harness.analysis.scaling.runs import Runs, six_nd
from harness.errors import UserError

LAW = Chinchilla()
TRUTH = np.array([1.8, 480.0, 2000.0, 0.35, 0.37])


def grid(seed: int = 0, noise: float = 0.003, sizes: int = 8, truth: Floats = TRUTH) -> Runs:
    """An isoFLOP grid of five budgets."""
    generator = np.random.default_rng(seed)
    size, compute = [], []
    for budget in np.geomspace(1e18, 1e22, 5):
        best = optimum(LAW, TRUTH, np.array([budget]))[0][0]
        size += list(best * np.geomspace(1 / 8, 8, sizes))
        compute += [budget] * sizes
    n, c = np.array(size), np.array(compute)
    loss = LAW.predict(truth, n, c / 6 / n) * np.exp(noise * generator.standard_normal(len(n)))
    return Runs(n, c / 6 / n, loss, c, counted="all")


@pytest.mark.parametrize("objective", [HUBER, LAD, SQUARES], ids=lambda item: item.name)
def test_what_was_planted_is_found(objective: Objective) -> None:
    exact = fit(LAW, grid(noise=0.0), objective)
    np.testing.assert_allclose(exact.natural, TRUTH, rtol=1e-4)
    noisy = fit(LAW, grid(noise=0.003), objective)
    np.testing.assert_allclose(noisy.natural[[0, 3, 4]], TRUTH[[0, 3, 4]], rtol=0.1)
    assert noisy.certificate.problems == ()


@settings(max_examples=20, deadline=None)
@given(st.floats(0.2, 5), st.floats(0.2, 5))
def test_units_change_scales_and_nothing_else(of_size: float, of_tokens: float) -> None:
    runs = grid(1)
    other = replace(runs, parameters=runs.parameters * of_size, tokens=runs.tokens * of_tokens)
    here, there = fit(LAW, runs), fit(LAW, other)
    np.testing.assert_allclose(there.natural[[0, 3, 4]], here.natural[[0, 3, 4]], rtol=1e-5)
    assert there.natural[1] == pytest.approx(here.natural[1] * of_size ** here.natural[3], rel=1e-4)


def test_a_law_without_a_floor_is_seen_at_its_bound() -> None:
    flat = replace(grid(), loss=100 * grid().parameters ** -0.1 + 200 * grid().tokens ** -0.12)
    found = fit(LAW, flat)
    assert "E" in found.certificate.bounds
    assert any("at a bound" in text for text in found.certificate.problems)


def test_one_bad_start_is_told() -> None:
    runs = grid()
    best = fit(LAW, runs)
    plain = LAW.plain(best.natural)
    stuck = fit(LAW, runs, starts=plain[None])
    assert any("did not move" in text for text in stuck.certificate.problems)


def test_data_without_an_effect_are_not_identified() -> None:
    """Loss that does not depend on the tokens: B and beta mean nothing, and that is said."""
    runs = grid(noise=0.01)
    generator = np.random.default_rng(3)
    loss = (1.8 + 480 / runs.parameters**0.35) * np.exp(0.01 * generator.standard_normal(len(runs)))
    found = fit(LAW, replace(runs, loss=loss))
    profiles = [profile(found, name) for name in ("B", "beta")]
    said = [*found.certificate.problems, *(item.why for item in profiles)]
    assert any("B" in text or "beta" in text for text in said if text)


@pytest.mark.parametrize(
    ("keep", "sentence"),
    [
        (slice(0, 5), "at least 6 are needed"),
        (np.arange(40) % 8 == 3, None),
    ],
)
def test_too_little_is_refused(keep: slice | Floats, sentence: str | None) -> None:
    runs = grid().only(keep)
    if sentence is None:
        runs = replace(runs.only(np.arange(len(runs))), parameters=np.full(len(runs), 1e9))
        runs = replace(
            runs,
            **{name: np.concatenate([getattr(runs, name)] * 2) for name in ("parameters", "tokens", "loss", "compute")},
        )
        sentence = "all runs have the same parameters"
    with pytest.raises(UserError, match=sentence):
        fit(LAW, runs)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.floats(17, 27))
def test_the_closed_allocation_is_the_numeric_one(seed: int, power: float) -> None:
    generator = np.random.default_rng(seed)
    natural = TRUTH * np.exp(0.2 * generator.standard_normal((3, 5)))
    compute = np.array([10.0**power])
    closed, numeric = optimum(LAW, natural, compute), numeric_optimum(LAW, natural, compute)
    np.testing.assert_allclose(closed[0], numeric[0], rtol=1e-6)
    np.testing.assert_allclose(closed[0] * closed[1] * 6, np.broadcast_to(compute, (3, 1)), rtol=1e-9)
    for off in (0.7, 1.4):
        worse = LAW.predict(natural[0], closed[0][0] * off, closed[1][0] / off)
        assert worse[0] > loss_at_optimum(LAW, natural[0], compute)[0]


def test_inverses_invert() -> None:
    tokens = tokens_for(LAW, TRUTH, 2.1, 7e9)
    assert LAW.predict(TRUTH, np.array([7e9]), np.array([tokens]))[0] == pytest.approx(2.1, rel=1e-9)
    compute = compute_for(LAW, np.stack([TRUTH, TRUTH * [1.0, 1.2, 1, 1, 1]]), 2.1)
    assert loss_at_optimum(LAW, TRUTH, compute[:1])[0] == pytest.approx(2.1, rel=1e-9)
    assert compute[1] > compute[0]
    assert np.isinf(tokens_for(LAW, TRUTH, 1.9, 1e6))
    assert np.isinf(compute_for(LAW, TRUTH, 1.7))


def test_the_compute_exponent() -> None:
    assert compute_exponent(LAW, TRUTH, 1e21) == pytest.approx(0.37 / 0.72, rel=1e-6)


def test_intervals_hold_the_truth_and_are_coherent() -> None:
    found = fit(LAW, grid(2, noise=0.004))
    draws = bootstrap(found, 500)
    compute = np.array([1e23])
    loss = interval(draws, lambda p: loss_at_optimum(LAW, p, compute)[..., 0])
    assert loss.low < loss_at_optimum(LAW, TRUTH, compute)[0] < loss.high
    size = interval(draws, lambda p: optimum(LAW, p, compute)[0][..., 0])
    tokens = interval(draws, lambda p: optimum(LAW, p, compute)[1][..., 0])
    # C is fixed: where N* is highest D* is lowest, draw by draw
    assert float(size.low * tokens.high * 6) == pytest.approx(1e23, rel=1e-3)
    bca = interval(draws, lambda p: p, "bca")
    percentile = interval(draws, lambda p: p)
    np.testing.assert_allclose(bca.high - bca.low, percentile.high - percentile.low, rtol=0.4)
    assert "500 replicates" in bca.how


def test_draws_are_the_same_for_the_same_seed() -> None:
    found = fit(LAW, grid())
    np.testing.assert_array_equal(bootstrap(found, 50, seed=3).natural, bootstrap(found, 50, seed=3).natural)
    assert (bootstrap(found, 50, seed=3).natural != bootstrap(found, 50, seed=4).natural).any()


def test_groups_are_drawn_whole() -> None:
    runs = grid()
    twice = Runs(
        *(np.repeat(getattr(runs, name), 2) for name in ("parameters", "tokens", "loss", "compute")),
        groups=tuple(str(row) for row in np.repeat(np.arange(40), 2)),
        counted="all",
    )
    alone = bootstrap(fit(LAW, runs), 400).natural.std(axis=0)
    grouped = bootstrap(fit(LAW, twice), 400)
    assert grouped.units == 40
    np.testing.assert_allclose(grouped.natural.std(axis=0), alone, rtol=0.2)
    naive = bootstrap(fit(LAW, twice), 400, by="run").natural.std(axis=0)
    assert (naive < 0.85 * alone).all()


def test_few_units_have_no_interval() -> None:
    runs = replace(grid(), groups=tuple("abcd"[row % 4] for row in range(40)))
    with pytest.raises(UserError, match="4 groups of runs are too few"):
        bootstrap(fit(LAW, runs), 100)


def test_predictions_of_held_out_runs_cover() -> None:
    runs = grid(5, noise=0.004, sizes=12)
    highest = alike(runs.compute) == 4
    found = fit(LAW, runs.only(~highest))
    told = predicted(found, bootstrap(found, 300), runs.only(highest))
    truth = runs.loss[highest]
    assert np.mean((truth >= told.low) & (truth <= told.high)) >= 0.75
    np.testing.assert_allclose(told.value, truth, rtol=0.03)


def test_six_nd() -> None:
    assert six_nd(np.array([175e9]), np.array([300e9]))[0] == pytest.approx(3.15e23)


def test_data_without_noise_are_believed_and_have_sharp_profiles() -> None:
    for objective in (HUBER, LAD, SQUARES):
        found = fit(LAW, grid(noise=0.0), objective)
        assert found.certificate.problems == ()
        region = profile(found, "alpha")
        assert region.identified and region.low is not None and region.high is not None
        assert region.high - region.low < 0.01


@pytest.mark.parametrize("objective", [HUBER, LAD, SQUARES], ids=lambda objective: objective.name)
def test_an_exact_fit_that_is_off_by_rounding_is_not_called_a_missed_optimum(objective: Objective) -> None:
    """Another processor adds in another order, and ends a few roundings beside this one's optimum."""
    found = fit(LAW, grid(noise=0.0), objective)
    beside = found.internal * (1 + 1e-13)
    missed = found.problem.evaluate(beside[None])[0] - found.problem.response
    value = float(objective.losses(missed).sum())
    assert value > 10 * found.value
    assert profile(replace(found, internal=beside, value=value), "alpha").why == ""


def test_a_missed_optimum_is_still_told_where_the_data_are_exact() -> None:
    found = fit(LAW, grid(noise=0.0))
    beside = found.internal * 1.01
    missed = found.problem.evaluate(beside[None])[0] - found.problem.response
    value = float(HUBER.losses(missed).sum())
    assert "use more starts" in profile(replace(found, internal=beside, value=value), "alpha").why


def test_a_law_that_rises_has_no_best_size() -> None:
    """Both exponents below 0: the closed form is that of the worst size."""
    size, tokens = optimum(LAW, np.array([TRUTH, [1.8, 0.1, 0.1, -0.1, -0.1]]), np.array([1e22]))
    assert np.isfinite([size[0, 0], tokens[0, 0]]).all()
    assert np.isnan([size[1, 0], tokens[1, 0]]).all()


def test_bca_is_scipy_s_where_all_draws_are_numbers_and_leaves_out_those_that_are_none() -> None:
    from scipy.stats import bootstrap as scipy_bootstrap

    sample = np.random.default_rng(0).exponential(size=40)
    drawn = scipy_bootstrap((sample,), np.mean, method="BCa", n_resamples=4000, random_state=0)
    natural = drawn.bootstrap_distribution[:, None]
    draws = Draws(natural, ((sample.sum() - sample) / 39)[:, None], np.array([sample.mean()]), 40, "runs", 0, 0)
    found = interval(draws, lambda p: p[:, 0], "bca")
    np.testing.assert_allclose([found.low, found.high], drawn.confidence_interval, rtol=1e-9)
    shuffled = np.random.default_rng(1).permutation(natural)
    with_gaps = replace(draws, natural=np.where(np.arange(4000)[:, None] < 1000, np.nan, shuffled))
    left = interval(with_gaps, lambda p: p[:, 0], "bca")
    np.testing.assert_allclose([left.low, left.high], [found.low, found.high], rtol=0.03)
    assert "1000 of which have no value and are left out" in left.how


@pytest.mark.parametrize("method", ["percentile", "bca"])
def test_what_some_draws_never_reach_has_an_endless_upper_end(method: Method) -> None:
    natural = np.random.default_rng(0).normal(size=(1000, 1))
    natural[:300] = np.inf
    without = np.random.default_rng(1).normal(size=(20, 1))
    without[0] = np.inf
    found = interval(Draws(natural, without, np.array([0.5]), 20, "runs", 0, 0), lambda p: p[:, 0], method)
    assert np.isfinite(found.low) and found.high == np.inf


def test_where_all_residuals_are_within_its_threshold_huber_s_loss_is_that_of_squares() -> None:
    runs = grid(noise=2e-4)
    huber, squares = (profile(fit(LAW, runs, objective), "alpha") for objective in (HUBER, SQUARES))
    np.testing.assert_allclose([huber.low, huber.high], [squares.low, squares.high], rtol=1e-3)


def test_the_ends_of_a_profile_do_not_hang_on_where_it_was_taken() -> None:
    found = fit(LAW, grid())
    coarse, fine = profile(found, "E", points=21), profile(found, "E", points=201)
    np.testing.assert_allclose([coarse.low, coarse.high], [fine.low, fine.high], rtol=1e-3)
