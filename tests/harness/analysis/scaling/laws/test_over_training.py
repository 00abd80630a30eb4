"""Gadre et al.'s law of over-training: planted parameters, and their own predictions (RedPajama)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from harness.analysis.scaling.allocation import optimum
from harness.analysis.scaling.fitting.fit import fit
from harness.analysis.scaling.fitting.objective import HUBER, SQUARES
from harness.analysis.scaling.laws.chinchilla import Chinchilla
from harness.analysis.scaling.laws.linear_misfit import LinearMisfit
from harness.analysis.scaling.laws.over_training import OverTraining
from harness.analysis.scaling.runs import Runs, runs_from_frame

NATURAL = (1.8, 140.0, 190.0, 0.17)


def test_planted_parameters_are_found(plant: Callable[..., Runs]) -> None:
    law = OverTraining()
    found = fit(law, plant(law, NATURAL), HUBER)
    assert found.named["E"] == pytest.approx(1.8, abs=0.03)
    assert found.named["eta"] == pytest.approx(0.17, abs=0.01)
    assert found.certificate.reached > 0.9
    assert not found.certificate.problems


def test_it_is_the_law_of_hoffmann_with_equal_exponents() -> None:
    e, a, b, eta = NATURAL
    size, tokens = np.array([1e7, 1e9]), np.array([1e10, 1e12])
    equal = Chinchilla().predict(np.array([e, a * 6**-eta, b * 6**-eta, 2 * eta, 2 * eta]), size, tokens)
    np.testing.assert_allclose(OverTraining().predict(np.array(NATURAL), size, tokens), equal, rtol=1e-12)


def test_the_same_tokens_per_parameter_are_optimal_at_every_budget() -> None:
    size, tokens = optimum(OverTraining(), np.array(NATURAL), np.array([1e18, 1e24]))
    np.testing.assert_allclose(tokens / size, (190 / 140) ** (1 / 0.34), rtol=1e-9)


def test_published_predictions_are_found_again(published: Callable[[str], pd.DataFrame]) -> None:
    """Five runs of 11M to 412M parameters predict 1.4B with 640 tokens per parameter and 6.9B with 20 (Gadre et al.,
    scaling_explorer.ipynb, cell 2)."""
    table = published("gadre_overtraining/runs.csv")
    pile = table[table["dataset"] == "rpj"]
    fitted = pile[(pile["M"] == 20) & (pile["N"] < 1e9) | (pile["M"] == 320) & (pile["N"] < 2e7)]
    fitted = fitted[fitted["model"].isin(["d=96_l=8_h=4", "d=512_l=8_h=4", "d=576_l=24_h=8", "d=1024_l=24_h=8"])]
    assert len(fitted) == 5
    runs = runs_from_frame(fitted, columns={"loss": "loss_c4_val"}, counted="all")
    found = fit(LinearMisfit(OverTraining()), runs, SQUARES)
    assert found.certificate.reached == 1.0
    large = pile[(pile["M"] == 640) & (pile["N"] > 1e9) | (pile["M"] == 20) & (pile["N"] > 2e9)].sort_values("N")
    predicted = found.law.predict(found.natural, large["N"].to_numpy(float), large["D"].to_numpy(float))
    missed = 100 * np.abs(predicted / large["loss_c4_val"].to_numpy() - 1)
    np.testing.assert_allclose(missed, [0.7103, 0.7320], atol=1e-3)
