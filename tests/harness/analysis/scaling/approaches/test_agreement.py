"""The three approaches side by side."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from harness.analysis.scaling.allocation import optimum
from harness.analysis.scaling.approaches.agreement import agreement
from harness.analysis.scaling.fitting.fit import fit
from harness.analysis.scaling.laws.chinchilla import Chinchilla
from harness.analysis.scaling.runs import Runs, six_nd
from harness.errors import UserError

LAW = Chinchilla()
TRUTH = np.array([1.69, 406.4, 410.7, 0.34, 0.28])
TRUE_A = 0.28 / 0.62


def grid(noise: float = 0.001, off: float = 1.0) -> Runs:
    """The same sizes at each of five budgets, so that sizes are curves and budgets are isoFLOPs."""
    budgets = np.geomspace(1e18, 1e20, 5)
    sizes = (
        np.geomspace(optimum(LAW, TRUTH, budgets[:1])[0][0] / 6, optimum(LAW, TRUTH, budgets[-1:])[0][0] * 6, 16) * off
    )
    parameters, compute = np.tile(sizes, 5), np.repeat(budgets, 16)
    tokens = compute / 6 / parameters
    loss = LAW.predict(TRUTH, parameters, tokens) * np.exp(noise * np.random.default_rng(0).normal(size=len(tokens)))
    return Runs(parameters, tokens, loss, six_nd(parameters, tokens))


def test_on_good_runs_the_approaches_agree_with_the_truth_and_one_another() -> None:
    compute = [1e19, 1e21]
    found = agreement(grid(), compute, replicates=100)
    assert "The approaches agree within their intervals" in found.sentence
    assert not found.left_out
    assert found.warnings["3, the law"] == ()
    assert found.sentence.startswith("Read the warnings of approach 2, isoFLOP by the quadratic curve first. ")
    assert found.table.approach.nunique() == 4 and len(found.table) == 8
    size, tokens = optimum(LAW, TRUTH, np.array(compute))
    for _, row in found.table.iterrows():
        number = compute.index(row.compute)
        assert row.a == pytest.approx(TRUE_A, abs=0.06)
        assert row.parameters == pytest.approx(size[number], rel=0.4)
        assert row.tokens_low < row.tokens < row.tokens_high
        assert row.tokens_per_parameter == pytest.approx(tokens[number] / size[number], rel=0.7)
    third = found.table[found.table.approach == "3, the law"]
    named = fit(LAW, grid()).named
    assert third.a.iloc[0] == pytest.approx(named["beta"] / (named["alpha"] + named["beta"]))


def test_disagreement_is_said_with_numbers() -> None:
    """Losses at the largest budget that E + A/N^alpha + B/D^beta can't have: parabolas follow, the law does not."""
    runs = grid(noise=0.0002)
    budget = np.repeat(np.arange(5), 16)
    best = optimum(LAW, TRUTH, np.array([3e18]))[0][0]
    bent = runs.loss + np.where(budget == 4, 0.05 * np.log(runs.parameters / best / 8) ** 2, 0)
    found = agreement(replace(runs, loss=bent), [1e21], replicates=60)
    assert "The approaches disagree: " in found.sentence
    assert "by approach" in found.sentence


def test_what_the_runs_do_not_allow_is_left_out_with_the_reason() -> None:
    generator = np.random.default_rng(0)
    parameters, tokens = np.exp(generator.uniform(np.log([1e7, 1e9]), np.log([1e10, 1e12]), (40, 2))).T
    runs = Runs(parameters, tokens, LAW.predict(TRUTH, parameters, tokens), six_nd(parameters, tokens))
    found = agreement(runs, [1e21], replicates=20)
    assert "loss curves" in found.left_out["1, envelope"]
    assert "budgets" in found.left_out["2, isoFLOP by the quadratic curve"]
    assert "Only approach 3, the law has an answer" in found.sentence
    with pytest.raises(UserError, match="none of the approaches"):
        agreement(runs.only(np.arange(4)), [1e21], replicates=20)


def test_a_law_without_an_optimum_does_not_agree_with_anything() -> None:
    runs = grid()
    found = agreement(replace(runs, loss=6 - runs.loss), [1e21], replicates=60)
    assert "3, the law" in found.left_out and "no optimum" in found.left_out["3, the law"]
    assert not found.table["a"].isna().any()
