"""What published laws say of models."""

from __future__ import annotations

import numpy as np
import pytest

from harness.analysis.scaling.allocation import optimum
from harness.analysis.scaling.laws.chinchilla import Chinchilla
from harness.analysis.scaling.suite.compute_optimal import COMPUTE_OPTIMAL, ComputeOptimalSettings, compute_optimal
from harness.published_data import where
from harness.results.finding import Finding

GPT3 = {"name": "GPT-3", "parameters": 174.6e9, "tokens": 300e9, "claimed_tokens": 3.5e12}


def found(**settings: object) -> dict[str, Finding]:
    asked = ComputeOptimalSettings.model_validate({"models": [GPT3]} | settings)
    return {item.name: item for item in compute_optimal(asked)}


def test_tokens_are_those_of_the_budget_whose_best_size_it_is() -> None:
    tokens = found(coefficients="besiroglu-2024")["optimal_tokens"].value
    assert tokens is not None
    natural = np.array([1.81686, 482.00572, 2085.43420, 0.34781, 0.36585])
    size, back = optimum(Chinchilla(), natural, np.array([6 * 174.6e9 * tokens]))
    assert size[0] == pytest.approx(174.6e9, rel=1e-6)
    assert back[0] == pytest.approx(tokens, rel=1e-6)


def test_rounded_coefficients_ask_for_many_more() -> None:
    fitted, rounded = found(coefficients="besiroglu-2024"), found(coefficients="hoffmann-2022")
    assert rounded["optimal_tokens"].value > 5 * fitted["optimal_tokens"].value  # type: ignore[operator]
    assert fitted["undertraining"].value == pytest.approx(10, rel=0.2)
    assert fitted["tokens_claim"].low is None


def test_two_trainings_are_compared_by_the_law() -> None:
    llama = {"name": "LLaMA-7B", "parameters": 6.7e9, "tokens": 1e12}
    difference = found(coefficients="besiroglu-2024", models=[GPT3, llama])["loss_difference"].value
    assert difference is not None
    assert difference < 0


@pytest.mark.skipif(where("epoch_chinchilla") is None, reason="needs epoch_chinchilla under HARNESS_DATA")
def test_fitted_laws_have_intervals() -> None:
    answers = found(data="epoch_chinchilla", replicates=200)
    tokens = answers["optimal_tokens"]
    assert tokens.low is not None and tokens.high is not None
    assert tokens.low < 3.5e12 < tokens.high
    assert answers["size_exponent"].value == pytest.approx(0.514, abs=0.001)


def test_without_a_law_it_says_so() -> None:
    settings = ComputeOptimalSettings.model_validate({"models": [GPT3]})
    (said,) = COMPUTE_OPTIMAL.run(None, settings)  # type: ignore[arg-type]
    assert said.value is None
    assert "`coefficients` or `data`" in said.note
    settings = ComputeOptimalSettings.model_validate({"models": [GPT3], "data": "epoch_chinchila"})
    (said,) = COMPUTE_OPTIMAL.run(None, settings)  # type: ignore[arg-type]
    assert "did you mean 'epoch_chinchilla'" in said.note
