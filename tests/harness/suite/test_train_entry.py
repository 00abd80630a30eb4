"""What a suite may say of a training: defaults stay, everything enters the digest, nonsense is told with its place."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from harness.errors import UserError
from harness.execution.resolve import resolve
from harness.models.resolved import Resolved
from harness.models.training import Training
from harness.models.training_entry import RECIPE, ShapeChanges, Train
from harness.suite.load import parse_suite
from harness.suite.schema import ModelEntry
from reference_impl.model.config import GPTConfig
from reference_impl.model.gpt import GPT
from reference_impl.training.settings import TrainingSettings


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, test_cache: Path) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(test_cache))


def resolved(train: dict[str, Any], **entry: Any) -> Resolved:
    given = {"reference": "nano", "train": {"tokens": 1000} | train} | entry
    return resolve("m", ModelEntry.model_validate(given), None, trust_remote_code=False)


def training(train: dict[str, Any], **entry: Any) -> Training:
    found = resolved(train, **entry).training
    assert found is not None
    return found


def test_what_is_left_out_is_the_trainers_default() -> None:
    plain = training({})
    assert plain.settings() == TrainingSettings(tokens=1000, validations=2)
    assert plain.config() == GPTConfig(vocabulary=1024, context=256, layers=2, heads=2, width=48)


def test_every_key_reaches_the_trainer() -> None:
    given = {
        **{"batch": 3, "sequence": 16, "learning_rate": 0.5, "schedule": "wsd", "warmup": 0.0, "final": 0.2},
        **{"decay": 0.4, "optimizer": "sgd", "betas": [0.0, 0.5], "weight_decay": 0.0, "gradient_clip": 2.0},
        **{"validations": 5, "blow_up": 9.0, "precision": "bf16"},
    }
    assert set(given) | {"tokens", "steps"} == set(RECIPE)
    settings = training(given).settings()
    for name, value in given.items():
        assert getattr(settings, name) == (tuple(value) if isinstance(value, list) else value)


def test_every_key_of_the_shape_reaches_the_model() -> None:
    given = {
        **{"layers": 3, "heads": 4, "width": 16, "ffn_width": 24, "kv_heads": 2, "positions": "rotary"},
        **{"norm": "none", "ffn": "swiglu", "bias": False, "residual_scaling": False, "tie_head": False},
    }
    assert set(given) == set(ShapeChanges.model_fields)
    config = training({"dropout": 0.25}, shape=given).config()
    assert {name: getattr(config, name) for name in given} == given
    assert config.dropout == 0.25


def test_a_width_of_its_own_has_the_usual_feed_forward_and_heads() -> None:
    config = training({}, shape={"width": 24, "heads": 3}).config()
    assert (config.ffn_width, config.kv_heads) == (96, 3)


def test_steps_stand_for_tokens() -> None:
    entry = {"reference": "nano", "train": {"steps": 7, "batch": 3, "sequence": 16}}
    found = resolve("m", ModelEntry.model_validate(entry), None, False).training
    assert found is not None
    assert found.settings().tokens == 7 * 3 * 16
    del entry["train"]["sequence"]  # type: ignore[attr-defined]
    found = resolve("m", ModelEntry.model_validate(entry), None, False).training
    assert found is not None
    assert found.settings().tokens == 7 * 3 * 256


OTHERS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    *[
        ({name: value}, {})
        for name, value in {
            **{"batch": 3, "sequence": 16, "learning_rate": 0.5, "schedule": "wsd", "warmup": 0.0, "final": 0.2},
            **{"decay": 0.4, "optimizer": "sgd", "betas": [0.0, 0.95], "weight_decay": 0.0, "gradient_clip": 2.0},
            **{"validations": 5, "dropout": 0.1, "tokenizer": "characters", "held_out": 0.1, "context": 64, "seed": 1},
        }.items()
    ],
    *[
        ({}, {"shape": {name: value}})
        for name, value in {
            **{"layers": 3, "heads": 4, "width": 96, "ffn_width": 24, "kv_heads": 1, "positions": "rotary"},
            **{"norm": "none", "ffn": "swiglu", "bias": False, "residual_scaling": False, "tie_head": False},
        }.items()
    ],
]


def test_everything_enters_the_digest() -> None:
    digests = [resolved(train, **entry).source.digest for train, entry in [({}, {}), *OTHERS]]
    assert len(digests) == len(set(digests))
    assert resolved({}).source.digest == digests[0]


@pytest.mark.parametrize(
    "train, entry, message",
    [
        ({}, {"shape": {"width": 47}}, "models.m.train: width 47 can't be shared by 2 heads"),
        ({"sequence": 300}, {}, "models.m.train: sequences of 300 tokens don't fit the context of 256"),
        ({"betas": [1.0, 0.9]}, {}, "models.m.train: betas must be at least 0 and below 1"),
    ],
)
def test_what_can_t_be_trained_is_told_before_anything_runs(
    train: dict[str, Any], entry: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        resolved(train, **entry)


@pytest.mark.parametrize(
    "model, message",
    [
        (
            "{reference: nano, train: {corpus: x}}",
            "a training needs a budget: `tokens`, or `steps`, or the axis `compute`",
        ),
        ("{reference: nano, train: {tokens: 1, steps: 1}}", "has `tokens` or `steps`, not both"),
        ("{reference: nano, train: {tokens: 1, warmup: 2}}", "models.m.train.warmup"),
        ("{reference: nano, train: {tokens: 1, schedule: cosin}}", "did you mean 'cosine'"),
        ("{reference: nano, shape: {norms: none}, train: {tokens: 1}}", "did you mean 'norm'"),
        ("{reference: some/folder, shape: {norm: none}}", "a `shape` needs `train`"),
    ],
)
def test_mistakes_in_a_suite_are_located(model: str, message: str) -> None:
    text = f"name: s\nmodels:\n  m: {model}\nmeasures:\n  - memory: {{}}\n"
    with pytest.raises(UserError) as caught:
        parse_suite(text, "s.yaml")
    assert message in str(caught.value)
    assert "s.yaml:3" in str(caught.value)


def test_a_training_is_plain_data() -> None:
    found = training({"betas": [0.9, 0.99]}, shape={"norm": "none"})
    assert Training(**asdict(found)) == found


def test_defaults_of_the_schema() -> None:
    assert Train(tokens=1).given(*RECIPE) == {"tokens": 1}


def with_compute(compute: float, **train: Any) -> Training:
    entry = ModelEntry.model_validate({"reference": "nano", "train": train})
    found = resolve("m", entry, None, False, compute).training
    assert found is not None
    return found


def test_compute_is_six_n_d_in_whole_steps_with_all_parameters() -> None:
    parameters = sum(p.numel() for p in GPT(training({}).config()).parameters())
    settings = with_compute(1e11, batch=2, sequence=64).settings()
    assert settings.tokens % (2 * 64) == 0
    assert abs(6 * parameters * settings.tokens - 1e11) <= 6 * parameters * 2 * 64 / 2
    assert with_compute(1e11).settings().tokens == round(1e11 / (6 * parameters * 1024)) * 1024


def test_a_budget_of_compute_is_the_training_of_its_tokens() -> None:
    """The same training however its length is said, so it is made once."""
    tokens = with_compute(1e11).settings().tokens
    entry = ModelEntry.model_validate({"reference": "nano", "train": {}})
    same = ModelEntry.model_validate({"reference": "nano", "train": {"tokens": tokens}})
    by_compute = resolve("m", entry, None, False, 1e11)
    assert by_compute.source.digest == resolve("m", same, None, False).source.digest
    assert by_compute.source.digest != resolve("m", entry, None, False, 2e11).source.digest
    assert by_compute.source.digest != resolve("m", entry, 1, False, 1e11).source.digest


def test_a_budget_that_can_t_be_is_told() -> None:
    with pytest.raises(UserError, match=r"models\.m\.train: compute of 1e\+06 FLOPs is less than one step of 1,024"):
        with_compute(1e6)
    with pytest.raises(UserError, match="size of a character tokenizer is not known"):
        with_compute(1e11, tokenizer="characters")
