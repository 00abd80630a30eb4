"""`training` and `training_speed`: what a real small training left is read, and what is not its own is refused."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from harness.errors import Unsupported, UserError
from harness.execution.opened_model import Loader, OpenedModel
from harness.execution.requests import Collect, Refused, Trained, TrainModel
from harness.execution.serve import answer
from harness.kept_file import read_json, write_json
from harness.measures import training, training_speed
from harness.measures.measure import Facts
from harness.measures.training import TrainingMeasureSettings
from harness.measures.training_speed import TrainingSpeedSettings
from harness.measures.useful_work import training_flops_per_token
from harness.models.contract import ModelSource, Precision
from harness.models.encoded_corpus import encoded
from harness.models.training import Training
from harness.models.training_evidence import EVIDENCE
from harness.results.peaks import Peaks
from harness.results.record import Measurement
from reference_impl.model.counting import training_flops
from reference_impl.model.gpt import GPT
from reference_impl.training.checkpoint import load_checkpoint, save_checkpoint
from reference_impl.training.validation import validate

RECIPE = {"steps": 60, "batch": 4, "validations": 3, "learning_rate": 4e-3}


def trained(folder: Path, corpus: Path, **recipe: Any) -> Any:
    request = Training("nano", str(corpus), 300, 32, 0, shape={"layers": 1}, recipe=RECIPE | recipe)
    return answer(
        TrainModel(request, ModelSource("m", "reference", str(folder), "d")), OpenedModel(), 1, lambda step: None
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, story: Path, test_cache: Path) -> Iterator[Path]:
    """A model that was trained as a suite trains it."""
    folder = tmp_path_factory.mktemp("trained") / "model"
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HARNESS_CACHE", str(test_cache))
        assert isinstance(trained(folder, story), Trained)
        yield folder
    torch.set_num_threads(before)


def loader(folder: Path, precision: Precision = "fp32") -> Loader:
    source = ModelSource("m", "reference", str(folder), "d", precision=precision)
    return Loader(Collect("training", TrainingMeasureSettings(), source), OpenedModel(), lambda step: None)


def measured(folder: Path, target: float | None = None) -> dict[str, Measurement]:
    settings = TrainingMeasureSettings(target_loss=target)
    load = loader(folder)
    rows = pd.DataFrame(training.collect(load, settings))
    return {m.metric.name: m for m in training.summarize(rows, settings, Facts(load().identity))}


def speed(folder: Path, target: float | None = None, peaks: Peaks | None = None) -> dict[str, Measurement]:
    settings = TrainingSpeedSettings(target_loss=target)
    load = loader(folder)
    rows = pd.DataFrame(training_speed.collect(load, settings))
    return {m.metric.name: m for m in training_speed.summarize(rows, settings, Facts(load().identity, peaks))}


def test_the_loss_is_that_of_the_trainers_own_validation(folder: Path) -> None:
    found, checkpoint = measured(folder), load_checkpoint(folder)
    assert checkpoint.training is not None
    value = found["validation_loss"]
    assert value.value == pytest.approx(checkpoint.training.validation_loss, abs=1e-5)
    assert value.low is not None and value.high is not None
    assert value.low < value.value < value.high
    assert found["best_validation_loss"].value == checkpoint.training.best_validation_loss
    assert found["skipped_steps"].value == 0
    assert found["highest_loss"].value == max(point.loss for point in checkpoint.training.curve)
    assert set(found) == {m.name for m in training.TRAINING.metrics} - {"tokens_to_target"}


def test_what_a_training_took_is_counted_exactly(folder: Path) -> None:
    found, checkpoint = measured(folder), load_checkpoint(folder)
    tokens = 60 * 4 * 32
    request = Training(**json.loads((folder / EVIDENCE).read_text())["training"])
    parameters = sum(p.numel() for p in checkpoint.model.parameters())
    assert found["trained_tokens"].value == tokens
    assert found["epochs"].value == pytest.approx(tokens / len(encoded(request)[1]))
    assert found["six_nd_flops"].value == 6 * parameters * tokens
    assert found["training_flops"].value == pytest.approx(training_flops(checkpoint.config, tokens, 32))
    assert {found[name].interval for name in ("trained_tokens", "epochs", "six_nd_flops", "training_flops")} == {
        "exact"
    }


def test_every_validation_token_is_read_once(folder: Path) -> None:
    rows = [row for row in training.collect(loader(folder), TrainingMeasureSettings()) if row["kind"] == "validation"]
    request = Training(**json.loads((folder / EVIDENCE).read_text())["training"])
    tokens = encoded(request)[2]
    assert sum(row["tokens"] for row in rows) == len(tokens) - 1
    checkpoint = load_checkpoint(folder)
    oracle = validate(checkpoint.model, np.asarray(tokens), batch=2, sequence=32)
    assert sum(row["nll"] for row in rows) == pytest.approx(oracle.nats, rel=1e-6)
    assert [row["document"] for row in rows] == list(range(len(rows)))
    assert sum(row["bytes"] for row in rows) == sum(checkpoint.tokenizer.token_bytes(tokens[1:].tolist()))


def test_the_curve_is_in_the_samples(folder: Path) -> None:
    rows = [row for row in training.collect(loader(folder), TrainingMeasureSettings()) if row["kind"] == "report"]
    assert [row["step"] for row in rows] == list(range(1, 61))
    assert rows[-1]["trained_tokens"] == 60 * 4 * 32
    assert rows[-1]["train_loss"] < rows[0]["train_loss"]
    assert [row["step"] for row in rows if row["reported_validation_loss"] is not None] == [20, 40, 60]


def test_a_target_is_reached_at_a_validation_or_not_at_all(folder: Path) -> None:
    curve = load_checkpoint(folder).training.curve  # type: ignore[union-attr]
    losses = [point.validation_loss for point in curve if point.validation_loss is not None]
    assert losses[0] > losses[1] > losses[2]
    found = measured(folder, target=losses[1])
    assert found["tokens_to_target"].value == 40 * 4 * 32
    assert found["tokens_to_target"].interval == "exact"
    never = measured(folder, target=0.01)["tokens_to_target"]
    assert never.value == never.high == math.inf
    assert never.low == 60 * 4 * 32
    assert f"not reached: the lowest validation loss is {losses[2]:.3f}" in never.interval
    seconds = speed(folder, target=losses[1])["seconds_to_target"]
    assert seconds.value == pytest.approx(curve[39].seconds)
    assert speed(folder, target=0.01)["seconds_to_target"].low == pytest.approx(curve[-1].seconds)


def test_speed_by_hand(folder: Path) -> None:
    peaks = Peaks(flops={"fp32": 1e9}, bandwidth=1e9, device="cpu")
    found, curve = speed(folder, peaks=peaks), load_checkpoint(folder).training.curve  # type: ignore[union-attr]
    seconds = np.diff([0.0, *(point.seconds for point in curve)])
    rate = found["training_rate"]
    assert rate.value == pytest.approx(np.median(4 * 32 / seconds), rel=1e-6)
    assert rate.low is not None and rate.high is not None and rate.low <= rate.value <= rate.high
    flops = training_flops(load_checkpoint(folder).config, tokens=1, sequence=32)
    assert found["training_mfu"].value == pytest.approx(rate.value * flops / 1e9)
    assert found["training_memory"].value > 4 * 4 * loader(folder)().identity.parameters * 0.5
    assert "training_mfu" not in speed(folder, peaks=Peaks(flops={"fp32": 1e9}, bandwidth=1e9, device="cuda"))


@pytest.mark.parametrize("sequence", [1, 17, 32])
def test_flops_are_the_references_own_count(folder: Path, sequence: int) -> None:
    identity, config = loader(folder)().identity, load_checkpoint(folder).config
    assert training_flops_per_token(identity, sequence) == pytest.approx(training_flops(config, 1, sequence))


def test_a_training_is_measured_at_fp32_alone(folder: Path) -> None:
    for collect in (training.collect, training_speed.collect):
        with pytest.raises(Unsupported, match="the same at every precision"):
            collect(loader(folder, "int8"), TrainingSpeedSettings())  # type: ignore[arg-type, operator]


def test_speed_of_another_machine_or_thread_count_is_not_this_ones(folder: Path, tmp_path: Path) -> None:
    other = shutil.copytree(folder, tmp_path / "other")
    told = json.loads(read_json(other / EVIDENCE, EVIDENCE))
    write_json(other / EVIDENCE, json.dumps(told | {"worker_class": "0123456789ab"}), EVIDENCE)
    with pytest.raises(Unsupported, match="trained on another machine"):
        speed(other)
    write_json(other / EVIDENCE, json.dumps(told | {"threads": 7}), EVIDENCE)
    with pytest.raises(Unsupported, match="trained with 7 threads, not 1"):
        speed(other)
    assert measured(other)["validation_loss"].value == measured(folder)["validation_loss"].value


def test_known_bad_weights_that_are_not_the_trained_ones(folder: Path, tmp_path: Path) -> None:
    """The checkpoint is whole and its curve a good one, but the weights are those it started from."""
    bad, checkpoint = tmp_path / "bad", load_checkpoint(folder)
    save_checkpoint(bad, GPT(checkpoint.config), checkpoint.tokenizer, checkpoint.training)
    shutil.copy(folder / EVIDENCE, bad)
    with pytest.raises(UserError, match="they are not the weights that were trained"):
        measured(bad)


def test_known_bad_weights_that_are_not_numbers(folder: Path, tmp_path: Path) -> None:
    bad, checkpoint = tmp_path / "bad", load_checkpoint(folder)
    checkpoint.model.blocks[0].ffn.down.weight.data.fill_(math.nan)  # type: ignore[union-attr, operator]
    save_checkpoint(bad, checkpoint.model, checkpoint.tokenizer, checkpoint.training)
    shutil.copy(folder / EVIDENCE, bad)
    with pytest.raises(UserError, match="holds values that aren't finite numbers"):
        measured(bad)


def test_a_checkpoint_that_no_suite_trained(folder: Path, tmp_path: Path) -> None:
    checkpoint = load_checkpoint(folder)
    save_checkpoint(tmp_path / "untrained", GPT(checkpoint.config), checkpoint.tokenizer)
    with pytest.raises(Unsupported, match="not trained by a suite"):
        measured(tmp_path / "untrained")


def test_known_bad_a_training_that_diverges(story: Path, test_cache: Path, tmp_path: Path, folder: Path) -> None:
    found = trained(tmp_path / "wild", story, learning_rate=1e4, gradient_clip=1e9, warmup=0.0)
    assert isinstance(found, Refused)
    assert found.reason.startswith("the gradient was not finite")
    assert not (tmp_path / "wild").exists()
