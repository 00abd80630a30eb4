"""A shape trained to regress: kept by what determines it, lost without its labels, at chance without training."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import torch
from pydantic import ValidationError

from harness.errors import Unsupported
from harness.execution.opened_model import Loader, OpenedModel
from harness.execution.requests import Collect
from harness.measures.in_context_regression import InContextRegressionSettings, collect, summarize
from harness.measures.measure import Facts
from harness.models.contract import ModelSource
from harness.models.in_context_regression import Recipe, Regression, Task
from harness.results.record import Measurement
from reference_impl.model.config import GPTConfig
from reference_impl.model.gpt import GPT
from reference_impl.text.tokenizer import ByteBPE
from reference_impl.training.checkpoint import save_checkpoint

QUICK = {"dimensions": 2, "pairs": 5, "examples": 5, "steps": 250, "batch": 32, "learning_rate": 0.005}
LINEAR = QUICK | {"reader": "linear_attention", "batch": 128, "learning_rate": 0.02}


@pytest.fixture
def source(tmp_path: Path, tiny_tokenizer_file: Path, monkeypatch: pytest.MonkeyPatch) -> ModelSource:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    torch.manual_seed(0)
    config = GPTConfig(vocabulary=320, context=8, layers=1, heads=2, width=32)
    save_checkpoint(tmp_path / "m", GPT(config), ByteBPE.load(tiny_tokenizer_file))
    return ModelSource("m", "reference", str(tmp_path / "m"), "d")


def measured(source: ModelSource, told: list[float], **given: object) -> dict[tuple[str, str | None], Measurement]:
    load = Loader(
        Collect("in_context_regression", InContextRegressionSettings(), source),
        OpenedModel(),
        lambda step: told.append(step.done),
    )
    settings = InContextRegressionSettings.model_validate({"sequences": 500, **given})
    rows = pd.DataFrame(collect(load, settings))
    return {(m.metric.name, m.part): m for m in summarize(rows, settings, Facts(load().identity))}


def test_blocks_learn_it_once_and_need_their_training_and_their_labels(source: ModelSource) -> None:
    told: list[float] = []
    seen = measured(source, told, **QUICK)
    error = seen["regression_error", "reader"]
    assert error.low is not None and error.high is not None and error.low < error.value < error.high < 0.4
    assert error.n == 500 and error.n_unit == "sequences"
    assert seen["regression_error", "zero"].value == pytest.approx(1, abs=0.2)
    assert seen["prediction_distance", "zero"].value > 0.3
    assert seen["regression_error", "least_squares"].value == pytest.approx(0, abs=1e-12)
    assert seen["prediction_distance", "least_squares"].value == pytest.approx(error.value)
    assert seen["weight_cosine", "least_squares"].value > 0.8
    assert ("weight_cosine", "zero") not in seen and ("regression_error", "bayes") not in seen
    assert told

    again: list[float] = []
    assert measured(source, again, **QUICK) == seen and again == []  # from the cache
    lost = measured(source, again, **QUICK, labels="shifted")
    assert lost["regression_error", "reader"].value > 0.9 * lost["regression_error", "zero"].value
    assert abs(lost["weight_cosine", "least_squares"].value) < 0.5
    chance = measured(source, again, **QUICK, weights="initial")
    assert chance["regression_error", "reader"].value > 0.95 * chance["regression_error", "zero"].value
    assert abs(chance["weight_cosine", "least_squares"].value) < 0.1
    assert again == []  # the same training, and none


def test_the_control_is_one_gradient_step(source: ModelSource) -> None:
    seen = measured(source, [], **LINEAR)
    steps = seen["prediction_distance", "gradient_steps_1"].value
    assert steps < 0.02 < seen["prediction_distance", "least_squares"].value
    assert seen["weight_cosine", "gradient_steps_1"].value > 0.98


def test_a_damaged_reader_is_trained_again(source: ModelSource, tmp_path: Path) -> None:
    told: list[float] = []
    short = LINEAR | {"steps": 20}
    seen = measured(source, told, **short)
    (kept,) = (tmp_path / "cache" / "readers").iterdir()
    kept.write_bytes(kept.read_bytes()[:-10])
    assert measured(source, told, **short) == seen
    assert len(told) == 2


def test_what_determines_a_training() -> None:
    base = Regression(GPTConfig(1, 1, 1, 2, 32), Task(2), 5, Recipe(250, 32, 0.005))
    others = [
        replace(base, shape=GPTConfig(1, 1, 2, 2, 32)),
        replace(base, shape=None),
        replace(base, task=Task(2, 0.1)),
        replace(base, pairs=6),
        replace(base, recipe=Recipe(250, 32, 0.005, seed=1)),
    ]
    assert len({item.digest for item in (base, *others)}) == 6
    assert replace(base).digest == base.digest


def test_noise_brings_the_best_predictor(source: ModelSource) -> None:
    seen = measured(source, [], **LINEAR | {"steps": 1, "noise": 0.5})
    assert seen["regression_error", "bayes"].value < seen["regression_error", "least_squares"].value


def test_what_cant_be_measured(source: ModelSource) -> None:
    with pytest.raises(ValidationError, match="6 examples are more than the 5 pairs"):
        InContextRegressionSettings(pairs=5, examples=6)
    with pytest.raises(ValidationError, match="two examples at least"):
        InContextRegressionSettings(examples=1, labels="shifted")
    with pytest.raises(Unsupported, match="only blocks of a reference model"):
        measured(replace(source, kind="transformers"), [], **QUICK)
    with pytest.raises(Unsupported, match="fp32 on the CPU"):
        measured(replace(source, precision="bf16"), [], **QUICK)
