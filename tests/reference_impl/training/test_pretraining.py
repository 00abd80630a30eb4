"""Pretraining as a whole: it learns, it repeats itself bit for bit, it reports, it gives up in time."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from reference_impl.model.config import GPTConfig
from reference_impl.model.gpt import GPT
from reference_impl.training.loop import DivergenceError
from reference_impl.training.pretraining import train
from reference_impl.training.result import Progress, TrainingResult
from reference_impl.training.settings import TrainingSettings

CONFIG = GPTConfig(vocabulary=16, context=16, layers=1, heads=2, width=32)
COUNTING = np.tile(np.arange(13, dtype=np.uint16), 200)  # each token says what the next one is
NOISE = np.random.default_rng(0).integers(16, size=500).astype(np.uint16)
SETTINGS = TrainingSettings(tokens=8_000, batch=8, learning_rate=1e-2, threads=1)


def a_model(**changes: Any) -> GPT:
    torch.manual_seed(0)
    return GPT(replace(CONFIG, **changes))


def weights(model: GPT) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


@pytest.fixture(scope="module")
def trained() -> tuple[GPT, TrainingResult, list[Progress]]:
    model, reports = a_model(), []
    return model, train(model, COUNTING, COUNTING[:400], SETTINGS, reports.append, validation_bytes=798), reports


def test_what_can_be_learnt_is_learnt(trained) -> None:
    model, result, reports = trained
    assert reports[0].loss == pytest.approx(math.log(16), abs=0.3)
    assert result.validation_loss < 0.1
    assert not model.training


def test_noise_is_not_learnt() -> None:
    result = train(a_model(), NOISE, NOISE[::-1].copy(), replace(SETTINGS, tokens=2_000))
    assert result.validation_loss > math.log(16) - 0.05


def test_the_result_says_what_was_done(trained) -> None:
    _, result, reports = trained
    assert result.steps == math.ceil(8_000 / (8 * 16))
    assert result.tokens == result.steps * 8 * 16 >= 8_000
    assert result.epochs == result.tokens / len(COUNTING)
    assert result.curve == tuple(reports)
    assert result.settings == replace(SETTINGS, sequence=16, precision="fp32")
    assert result.bits_per_byte == pytest.approx(result.validation_loss * 399 / math.log(2) / 798)
    assert result.skipped_steps == 0
    assert result.tokens_per_second > 0
    assert reports[-1].step == reports[-1].steps == result.steps
    assert reports[-1].validation_loss == result.validation_loss
    assert sum(report.validation_loss is not None for report in reports) == SETTINGS.validations
    assert result.best_validation_loss == min(r.validation_loss for r in reports if r.validation_loss is not None)


def test_a_long_run_reports_about_a_hundred_times() -> None:
    reports: list[Progress] = []
    settings = replace(SETTINGS, tokens=130 * 4, batch=1, sequence=4)
    train(a_model(), COUNTING, COUNTING[:40], settings, reports.append)
    assert 100 <= len(reports) <= 104
    assert [report.step for report in reports] == sorted({report.step for report in reports})


@pytest.mark.parametrize("dropout", [0.0, 0.2])
def test_the_same_seed_gives_the_same_bits(dropout: float) -> None:
    settings = replace(SETTINGS, tokens=1_500)
    first, second, other = (a_model(dropout=dropout) for _ in range(3))
    result = train(first, NOISE, NOISE, settings)
    torch.rand(3)  # the caller's random state has no influence
    again = train(second, NOISE, NOISE, settings)
    train(other, NOISE, NOISE, replace(settings, seed=1))
    assert torch.equal(weights(first), weights(second))
    assert not torch.equal(weights(first), weights(other))
    assert result.validation_loss == again.validation_loss


def test_the_callers_random_state_and_threads_are_left_alone() -> None:
    before, threads = torch.get_rng_state(), torch.get_num_threads()
    model = a_model()
    state = torch.get_rng_state()
    train(model, NOISE, NOISE, replace(SETTINGS, tokens=200, threads=threads + 1))
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == threads
    torch.set_rng_state(before)


def test_accumulation_does_not_change_the_result() -> None:
    settings = replace(SETTINGS, tokens=600)
    whole, parts = a_model(), a_model()
    train(whole, NOISE, NOISE, settings)
    train(parts, NOISE, NOISE, replace(settings, accumulation=4))
    torch.testing.assert_close(weights(parts), weights(whole), rtol=1e-3, atol=1e-4)


def test_bf16_learns_too() -> None:
    result = train(a_model(), COUNTING, COUNTING[:400], replace(SETTINGS, tokens=2_000, precision="bf16"))
    assert result.settings.precision == "bf16"
    assert result.validation_loss < 2.5


def test_training_gives_up_on_gradients_that_are_not_finite() -> None:
    model = a_model()
    with torch.no_grad():
        model.blocks[0].ffn.up.bias[0] = float("nan")
    broken = weights(model)
    with pytest.raises(DivergenceError, match=r"not finite in the last 10 steps .*lower learning_rate"):
        train(model, NOISE, NOISE, SETTINGS)
    assert torch.equal(weights(model).nan_to_num(), broken.nan_to_num())


def test_a_single_bad_step_is_skipped_counted_and_kept_out_of_the_curve(monkeypatch) -> None:
    from reference_impl.training import pretraining

    honest, calls = pretraining.accumulate_gradients, []

    def sometimes_broken(model, micro_batches, precision):
        loss = honest(model, micro_batches, precision)
        calls.append(None)
        if len(calls) in (3, 4, 9):
            next(model.parameters()).grad[0] = float("inf")
            return loss * float("nan")
        return loss

    monkeypatch.setattr(pretraining, "accumulate_gradients", sometimes_broken)
    result = train(a_model(), COUNTING, COUNTING[:400], SETTINGS)
    assert result.skipped_steps == 3
    assert result.validation_loss < 0.2
    assert all(math.isfinite(point.loss) for point in result.curve)


@pytest.mark.parametrize(
    ("settings", "train_tokens", "validation_tokens", "message"),
    [
        ({"sequence": 17}, NOISE, NOISE, "17 doesn't fit the model's context of 16"),
        ({}, NOISE + 16, NOISE, "the training tokens go up to 31, but the model's vocabulary ends at 15"),
        ({}, NOISE, NOISE + 16, "the validation tokens go up to 31"),
        ({}, NOISE[:9], NOISE, "9 tokens are too few for sequences of 16"),
        ({}, NOISE, NOISE[:1], "validation needs at least two tokens"),
    ],
)
def test_what_does_not_fit_is_refused_at_once(settings, train_tokens, validation_tokens, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        train(a_model(), train_tokens, validation_tokens, replace(SETTINGS, **settings))
