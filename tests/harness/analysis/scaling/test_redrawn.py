"""Runs drawn again some at a time: the same numbers as all at once, with memory that does not grow with the square of
the runs."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from harness.analysis.scaling.fitting import prediction, profile, uncertainty
from harness.analysis.scaling.fitting.fit import fit
from harness.analysis.scaling.fitting.uncertainty import bootstrap, interval, redrawn
from harness.analysis.scaling.laws.chinchilla import Chinchilla
from harness.analysis.scaling.runs import Runs, six_nd
from harness.analysis.scaling.suite.settings import FitSettings
from harness.analysis.scaling.work import check_compared, check_work
from harness.errors import UserError


def runs(count: int, noise: float = 0.01, groups: int | None = None) -> Runs:
    """Runs of a known law."""
    generator = np.random.default_rng(0)
    parameters, tokens = 10 ** generator.uniform(6, 10, count), 10 ** generator.uniform(8, 12, count)
    loss = (1.7 + 400 / parameters**0.34 + 410 / tokens**0.28) * np.exp(generator.normal(0, noise, count))
    names = None if groups is None else tuple(f"g{number % groups}" for number in range(count))
    return Runs(parameters, tokens, loss, six_nd(parameters, tokens), groups=names)


def all_at_once(of: Runs, replicates: int, seed: int) -> np.ndarray:
    """The oracle: replicates, then each unit left out, as one dense table."""
    labels, _ = uncertainty.drawn_together(of)
    names, unit_of = np.unique(labels, return_inverse=True)
    units = len(names)
    counts = np.random.default_rng(seed).multinomial(units, np.full(units, 1 / units), size=replicates)
    return np.concatenate([counts, 1 - np.eye(units, dtype=int)])[:, unit_of].astype(np.float64)


@pytest.mark.parametrize("groups", [None, 11])
@pytest.mark.parametrize("block", [1, 77, 500, 8_000_000])
def test_blocks_are_the_dense_table(monkeypatch: pytest.MonkeyPatch, groups: int | None, block: int) -> None:
    monkeypatch.setattr(uncertainty, "BLOCK", block)
    of = runs(60, groups=groups)
    drawn = redrawn(of, 23, 5)
    found = [*drawn.drawn(), *drawn.left_out()]
    assert max(part.size for part in found) <= max(block, 60)
    np.testing.assert_array_equal(np.concatenate(found), all_at_once(of, 23, 5))


def test_draws_and_intervals_do_not_depend_on_the_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    made = fit(Chinchilla(), runs(40))
    whole = bootstrap(made, 60, 3)
    monkeypatch.setattr(uncertainty, "BLOCK", 200)
    some = bootstrap(made, 60, 3)
    np.testing.assert_allclose(some.natural, whole.natural, rtol=1e-7)
    np.testing.assert_allclose(some.without, whole.without, rtol=1e-7)
    for method in ("percentile", "bca"):
        one, other = (interval(draws, lambda natural: natural[:, 3], method) for draws in (some, whole))
        np.testing.assert_allclose([one.low, one.high, one.error], [other.low, other.high, other.error], rtol=1e-6)


def test_leaving_out_is_fitted_only_where_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    made = fit(Chinchilla(), runs(40))
    weighted: list[int] = []
    refit = uncertainty.refit
    monkeypatch.setattr(uncertainty, "refit", lambda fit, weights: weighted.append(len(weights)) or refit(fit, weights))
    draws = bootstrap(made, 30, 0)
    interval(draws, lambda natural: natural[:, 0])
    assert sum(weighted) == 30
    interval(draws, lambda natural: natural[:, 0], "bca")
    assert sum(weighted) == 30 + 40


def test_predictions_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    of = runs(60)
    made, others = fit(Chinchilla(), of.only(np.arange(40))), of.only(np.arange(40, 60))
    draws = bootstrap(made, 200, 0)
    whole = prediction.predicted(made, draws, others)
    monkeypatch.setattr(prediction, "BLOCK", 200 * 3)
    some = prediction.predicted(made, draws, others)
    np.testing.assert_array_equal(some.value, whole.value)
    assert some.low.shape == whole.low.shape and (some.low < some.value).all() and (some.value < some.high).all()
    np.testing.assert_allclose(some.high - some.low, whole.high - whole.low, rtol=0.5)  # other draws of the scatter


def test_a_profile_near_the_optimum_ends_where_a_wide_one_does(monkeypatch: pytest.MonkeyPatch) -> None:
    made = fit(Chinchilla(), runs(600))
    for name in ("E", "A", "alpha"):
        wide = profile.profile(made, name)
        monkeypatch.setattr(profile, "MANY_RUNS", 100)
        near = profile.profile(made, name)
        monkeypatch.undo()
        assert near.values.min() > wide.values.min() and near.identified and wide.identified
        width = wide.high - wide.low
        assert abs(near.low - wide.low) < 0.01 * width and abs(near.high - wide.high) < 0.01 * width


def test_a_flat_profile_is_still_seen_by_many_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the curvature promises a region that doesn't end there, the wide values are taken."""
    one_ratio = runs(200)
    flat = dataclasses.replace(one_ratio, tokens=10 ** np.random.default_rng(1).uniform(11.9, 12, 200))
    made = fit(Chinchilla(), flat)
    wide = profile.profile(made, "beta")
    monkeypatch.setattr(profile, "MANY_RUNS", 100)
    assert profile.profile(made, "beta").identified == wide.identified


def test_work_that_nobody_waits_for_is_refused_with_what_to_leave_out() -> None:
    check_work(100_000, FitSettings())
    check_work(1_000_000, FitSettings(replicates=0, profiles=False))
    with pytest.raises(UserError, match=r"1,000,000 runs would take too long .*profiles 25 min.*--no-profiles"):
        check_work(1_000_000, FitSettings())
    with pytest.raises(UserError, match="leaving each run out for BCa"):
        check_work(30_000, FitSettings(profiles=False, interval="bca"))
    with pytest.raises(UserError, match="--choose takes 10,000 runs at most, and there are 10,001"):
        check_compared(10_001, "--choose")
