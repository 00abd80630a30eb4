"""A suite's own trainings as runs of a law: fit, approaches, choice of law, from records."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from harness.analysis.scaling.allocation import optimum
from harness.analysis.scaling.laws.chinchilla import Chinchilla
from harness.analysis.scaling.suite.law_choice import LAW_CHOICE, LawChoiceSettings
from harness.analysis.scaling.suite.scaling_approaches import SCALING_APPROACHES, ScalingApproachesSettings
from harness.analysis.scaling.suite.scaling_fit import SCALING_FIT, ScalingFitSettings
from harness.measures.training import TRAINING
from harness.results.finding import Finding
from harness.results.record import CellResult, Record
from harness.results.run import Run

LAW, TRUTH = Chinchilla(), np.array([0.9, 60.0, 90.0, 0.3, 0.32])
BUDGETS = (1e11, 4e11, 1.6e12, 6.4e12)
METRICS = {metric.name: metric for metric in TRAINING.metrics}


def cell(size: float, budget: float, loss: float) -> CellResult:
    tokens = budget / 6 / size
    values = {"validation_loss": loss, "trained_tokens": tokens, "training_flops": 1.1 * budget, "epochs": 0.5}
    common: dict[str, Any] = {
        "key": f"{size:.0f} {budget:.0f}",
        "model": f"n{size:.0f}",
        "measure": "training",
        "axes": {"precision": "fp32", "compute": budget},
        "settings": {},
    }
    records = [
        Record(
            **common,
            metric=name,
            metric_id=METRICS[name].id,
            value=value,
            unit=METRICS[name].unit,
            low=value * 0.99,
            high=value * 1.01,
            parameters=round(size),
            parameters_non_embedding=round(size * 0.8),
        )
        for name, value in values.items()
    ]
    return CellResult(**common, status="ok", records=records)


@pytest.fixture(scope="module")
def grid(builders: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Seven sizes for each of four budgets, on a law with .3 % of noise."""
    generator = np.random.default_rng(0)
    cells = []
    for budget in BUDGETS:
        best = optimum(LAW, TRUTH, np.array([budget]))[0][0]
        for size in best * np.geomspace(1 / 6, 6, 7):
            loss = LAW.predict(TRUTH, np.array([size]), np.array([budget / 6 / size]))[0]
            cells.append(cell(size, budget, float(loss * np.exp(0.003 * generator.standard_normal()))))
    run: Run = builders.write_run(tmp_path_factory.mktemp("grid") / "run", cells=cells)
    return run


def fitted(run: Run, **settings: Any) -> dict[str, Finding]:
    asked = ScalingFitSettings.model_validate({"replicates": 200, "profiles": False} | settings)
    return {item.name: item for item in SCALING_FIT.run(run, asked)}


def test_the_lower_budgets_predict_the_highest(grid: Run) -> None:
    found = fitted(grid, fit_below=5e12)
    assert found["trust"].value == 1
    assert found["trust"].n == 21
    assert found["held_out_coverage"].value is not None and found["held_out_coverage"].value >= 5 / 7
    best = found["held_out_best"]
    assert best.low is not None and best.high is not None and best.value is not None
    assert best.low < best.value < best.high
    assert "inside the interval" in best.note
    assert found["size_exponent"].value == pytest.approx(0.32 / 0.62, abs=0.06)


def test_which_parameters_are_counted_is_said(grid: Run) -> None:
    found = fitted(grid, counted="non_embedding")
    assert "without embeddings" in found["optimal_parameters"].note
    assert found["trust"].subject["counted"] == "non_embedding"
    every = fitted(grid)["optimal_parameters"].value
    without = found["optimal_parameters"].value
    assert every is not None and without is not None and without < every


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"of": "loss"}, "the run has no value of loss"),
        ({"models": ["n5"]}, "no cell has model = n5"),
        ({"where": {"compute": 1e11}}, "parameters and tokens vary together"),
        ({"fit_below": 1.0}, "leaves no run to fit"),
        ({"law": "repeated_data"}, "no unique tokens"),
    ],
)
def test_where_nothing_can_be_fitted_it_says_why(grid: Run, settings: dict[str, Any], why: str) -> None:
    found = fitted(grid, **settings)
    note = found["trust"].note
    assert why in note
    if "no law was fitted" in note:
        assert list(found) == ["trust"]
        assert found["trust"].value is None


def test_the_approaches_agree(grid: Run) -> None:
    found = SCALING_APPROACHES.run(grid, ScalingApproachesSettings(replicates=100))
    assert found[0].name == "agreement"
    slopes = {item.subject["approach"]: item.value for item in found if item.name == "a"}
    assert any(str(name).startswith("2") for name in slopes)
    assert any(str(name).startswith("3") for name in slopes)
    for value in slopes.values():
        assert value == pytest.approx(0.32 / 0.62, abs=0.12)


def test_the_true_law_is_preferred_to_the_baseline(grid: Run) -> None:
    settings = LawChoiceSettings(
        laws=["chinchilla", "power_law"], objectives=["squares"], splits="budgets", replicates=50
    )
    found = LAW_CHOICE.run(grid, settings)
    assert "chinchilla" in found[0].note
    errors = {item.subject["law"]: item.value for item in found if item.name == "mape"}
    assert errors["chinchilla"] < errors["power_law"]  # type: ignore[operator]
    assert "aic" in {item.name for item in found}


def test_a_run_without_trainings_says_so(builders: ModuleType, tmp_path: Path) -> None:
    run = builders.full_run(tmp_path / "run")
    for analysis, settings in (
        (SCALING_FIT, ScalingFitSettings(of="loss")),
        (SCALING_APPROACHES, ScalingApproachesSettings(of="loss")),
        (LAW_CHOICE, LawChoiceSettings(of="loss")),
    ):
        (said,) = analysis.run(run, settings)
        assert "add the measure `training`" in said.note


def test_what_compute_is_is_said(grid: Run) -> None:
    exact = fitted(grid, flops="exact", law="power_law", objective="squares")
    assert exact["trust"].n == 28
    nominal = fitted(grid, law="power_law", objective="squares")
    # the exact count is 1.1 times 6ND everywhere here: only the scale moves, and by that
    assert exact["alpha"].value == pytest.approx(nominal["alpha"].value, rel=1e-3)
    ratio = exact["A"].value / nominal["A"].value  # type: ignore[operator]
    assert ratio == pytest.approx(1.1 ** nominal["alpha"].value, rel=1e-3)  # type: ignore[operator]


def test_a_second_step_is_not_left_out_in_silence() -> None:
    with pytest.raises(ValidationError, match="no error of a task"):
        ScalingFitSettings.model_validate({"then": "exponential_error"})
