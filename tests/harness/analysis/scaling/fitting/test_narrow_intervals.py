"""Residual bootstrap and Wald: right where the noise is the same everywhere, half as wide as the truth where not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from harness.analysis.scaling.fitting.fit import fit
from harness.analysis.scaling.fitting.narrow_intervals import residual_bootstrap, wald
from harness.analysis.scaling.fitting.objective import HUBER, LAD, SQUARES
from harness.analysis.scaling.fitting.uncertainty import bootstrap, interval
from harness.analysis.scaling.laws.chinchilla import Chinchilla
from harness.analysis.scaling.runs import Runs, runs_from_frame
from harness.errors import UserError

LAW = Chinchilla()
TRUTH = (1.8, 450.0, 900.0, 0.34, 0.3)


def test_the_warning_is_in_every_interval_made_from_them(plant: Callable[..., Runs]) -> None:
    found = fit(LAW, plant(LAW, TRUTH), SQUARES)
    for draws in (residual_bootstrap(found, 50), wald(found, 50)):
        for method in ("percentile", "bca"):
            made = interval(draws, lambda natural: natural[:, 3], method)
            assert "TOO NARROW" in made.how
            assert made.low < made.value < made.high
    assert "TOO NARROW" not in interval(bootstrap(found, 50), lambda natural: natural[:, 3]).how


def test_where_the_noise_is_the_same_all_three_agree(plant: Callable[..., Runs]) -> None:
    found = fit(LAW, plant(LAW, TRUTH, n=200, noise=0.005), SQUARES)
    errors = [method(found, 300).natural[:, 3:].std(axis=0) for method in (bootstrap, residual_bootstrap, wald)]
    assert errors[1] == pytest.approx(errors[0], rel=0.3)
    assert errors[2] == pytest.approx(errors[0], rel=0.3)


def test_a_replicate_is_the_fit_of_its_own_losses(plant: Callable[..., Runs]) -> None:
    """The slow way: the losses of the third replicate are made and fitted from all starts."""
    found = fit(LAW, plant(LAW, TRUTH, n=30, noise=0.005), HUBER)
    drawn = residual_bootstrap(found, 5, seed=4).natural[2]
    centered = found.residuals - found.residuals.mean()
    loss = found.fitted * np.exp(np.random.default_rng(4).choice(centered, size=(5, 30))[2])
    assert drawn == pytest.approx(fit(LAW, replace(found.runs, loss=loss), HUBER).natural, rel=2e-3)


def test_wald_is_refused_where_there_is_no_curvature(plant: Callable[..., Runs]) -> None:
    with pytest.raises(UserError, match="no curvature"):
        wald(fit(LAW, plant(LAW, TRUTH), LAD))


def test_on_epochs_points_they_are_half_as_wide(published: Callable[[str], pd.DataFrame]) -> None:
    """SE of E, alpha, beta: .0131 .0085 .0076 by residuals, .0132 .0085 .0078 by the curvature, .0257 .0154 .0206 by
    runs; 10 % is the scatter of 500 replicates."""
    found = fit(LAW, runs_from_frame(published("epoch_chinchilla/svg_extracted_data.csv")[5:]))
    by_runs, by_residuals, by_curvature = (
        draws.natural[:, [0, 3, 4]].std(axis=0)
        for draws in (bootstrap(found, 500, by="run"), residual_bootstrap(found, 500), wald(found, 500))
    )
    assert by_runs == pytest.approx([0.0257, 0.0154, 0.0206], rel=0.1)
    assert by_residuals == pytest.approx([0.0131, 0.0085, 0.0076], rel=0.1)
    assert by_curvature == pytest.approx([0.0132, 0.0085, 0.0078], rel=0.1)
