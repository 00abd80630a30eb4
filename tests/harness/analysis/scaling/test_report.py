"""Reports of a fit: what speaks against it beyond its optimum."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.analysis.scaling.findings import findings
from harness.analysis.scaling.fitting.fit import fit
from harness.analysis.scaling.fitting.pattern import WRONG_SHAPE, pattern
from harness.analysis.scaling.laws.chinchilla import Chinchilla
from harness.analysis.scaling.laws.law import Floats
from harness.analysis.scaling.report import ScalingReport, scaling_report
from harness.analysis.scaling.runs import Runs, six_nd
from harness.analysis.scaling.suite.settings import FitSettings
from harness.comparison.evaluate import evaluate
from harness.comparison.expectation import Expectation
from harness.results.run import Run

LAW = Chinchilla()
TRUTH = np.array([1.7, 400.0, 2000.0, 0.34, 0.37])


def scattered(factor: Floats | float = 1.0, n: int = 300, seed: int = 0) -> Runs:
    """Runs all over the plane around the law, times a factor, with noise of .3 %."""
    generator = np.random.default_rng(seed)
    size, tokens = np.exp(generator.uniform(np.log([1e7, 1e9]), np.log([1e10, 1e12]), (n, 2))).T
    loss = LAW.predict(TRUTH, size, tokens) * factor * np.exp(0.003 * generator.standard_normal(n))
    return Runs(size, tokens, loss, six_nd(size, tokens), counted="all")


def bent() -> Runs:
    """The size's term has a break that the law doesn't have."""
    runs = scattered()
    more = 400 / runs.parameters**0.34 * ((1 + (runs.parameters / 1e9) ** 2) ** 0.3 - 1)
    return Runs(runs.parameters, runs.tokens, runs.loss + more, runs.compute, counted="all")


def reported(runs: Runs, fit_below: float | None = None) -> ScalingReport:
    return scaling_report(runs, FitSettings(replicates=300, profiles=False, fit_below=fit_below))


def test_a_law_of_the_wrong_shape_is_told_where_its_parameters_are_sharp() -> None:
    assert reported(scattered()).problems == ()
    wrong = reported(bent())
    assert wrong.fit.certificate.problems == ()  # a good optimum of a wrong law
    assert any("wrong shape" in text for text in wrong.problems)


@pytest.mark.parametrize("n", [20, 40, 100])
def test_noise_leaves_no_pattern(n: int) -> None:
    assert all(pattern(fit(LAW, scattered(n=n, seed=seed))) < WRONG_SHAPE for seed in range(10))


def test_what_is_drawn_together_is_no_neighbor() -> None:
    """Checkpoints that share the luck of their training are missed alike, and the law is right."""
    runs = scattered(n=40)
    luck = np.exp(0.02 * np.random.default_rng(1).standard_normal(40))
    near = [runs.tokens * factor for factor in (1.0, 1.01, 1.02, 1.03, 1.04, 1.05)]
    size, tokens, kept = np.tile(runs.parameters, 6), np.concatenate(near), np.tile(luck, 6)
    loss = LAW.predict(TRUTH, size, tokens) * kept
    groups = tuple(map(str, np.tile(np.arange(40), 6)))
    checkpoints = Runs(size, tokens, loss, six_nd(size, tokens), groups=groups, counted="all")
    found = fit(LAW, checkpoints)
    assert pattern(found) < WRONG_SHAPE < pattern(found, "run")
    assert np.isnan(pattern(fit(LAW, runs.only(np.arange(12)))))


def test_runs_held_out_that_are_missed_too_often_are_told() -> None:
    runs = scattered()
    cut = float(np.quantile(runs.compute, 0.7))
    right = reported(runs, cut)
    assert right.problems == () and right.prediction is not None and right.prediction.chance > 0.025
    late = scattered(np.where(runs.compute > cut, 1.02, 1.0))
    wrong = reported(late, cut)
    assert wrong.prediction is not None and wrong.prediction.chance < 0.025
    assert any("does not go on as it said" in text for text in wrong.problems)


def test_trust_and_coverage_can_be_expected_of_a_suite(tmp_path: Path) -> None:
    runs = scattered()
    found = findings(reported(runs, float(np.quantile(runs.compute, 0.7))))
    asked = [
        Expectation(finding="trust", where={"analysis": "scaling_fit"}, at_least=1),
        Expectation(finding="held_out_coverage", at_least=0.8),
    ]
    outcomes = evaluate(asked, Run(tmp_path), found)
    assert [item.outcome for item in outcomes] == ["met", "met"]
