"""What can't be aligned is told when a suite is planned, with its place: before anything is trained."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import UserError
from harness.execution.resolve import resolve
from harness.models.alignment import Alignment
from harness.models.contract import ModelSource
from harness.models.resolved import Resolved
from harness.models.stage_checks import check_stage
from harness.suite.load import parse_suite


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, test_cache: Path) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(test_cache))


SUITE = """name: s
models:
  base: {reference: nano, train: {steps: 5, context: 32, vocabulary: 300}}
  more: {from: base, train: {steps: 2}}
  judge: {from: more, train: {reward: {data: microworld}}}
  other: {reference: nano, train: {steps: 5, context: 32, vocabulary: 400}}
  stranger: {from: other, train: {reward: {data: microworld}}}
  hub: {transformers: owner/name, revision: main}
  x: {from: START, train: {STAGE}}
measures:
  - alignment: {}
    models: [x]
"""


def made(stage: str, start: str = "base") -> Resolved:
    suite = parse_suite(SUITE.replace("START", start).replace("STAGE", stage), "s.yaml")
    return resolve("x", suite.models["x"], None, False, models=suite.models)


def test_a_reward_model_of_the_same_tokenizer_is_taken() -> None:
    assert [what for what, _ in made("ppo: {reward: judge}").asked] == ["reward"]
    assert made("grpo: {reward: answers, data: microworld/sums}").asked == ()


@pytest.mark.parametrize(
    ("stage", "start", "told"),
    [
        ("ppo: {reward: base}", "base", "train.ppo.reward: base is no reward model; give one whose last stage is"),
        ("ppo: {reward: hub}", "base", "train.ppo.reward: hub is no reward model"),
        ("ppo: {reward: stranger}", "base", "train.ppo.reward: stranger has another tokenizer than base"),
        ("ppo: {reward: answers}", "base", "train.ppo.reward: prompts of `microworld` say no answer"),
        ("dpo: {data: microworld/sums}", "base", "train.dpo.data: `microworld/sums` has no preferences"),
        ("sft: {lora: {rank: 4}}", "base", "train.sft.lora: LoRA is for models of `transformers`, and base is a GPT"),
        ("sft: {data: microworld}", "hub", "train.sft: hub is a model of the hub, and a stage reads a folder"),
    ],
)
def test_what_can_t_be_has_a_place(stage: str, start: str, told: str) -> None:
    with pytest.raises(UserError) as caught:
        made(stage, start)
    assert f"models.x.{told}" in str(caught.value)


def test_a_model_in_memory_is_saved_first() -> None:
    given = Resolved(ModelSource("mine", "in_memory", "mine", "0"))
    with pytest.raises(UserError, match="mine is one of `in_memory`; save it in a folder and name that"):
        check_stage(Alignment("sft"), given, "models.x.train.sft")


def test_a_method_that_is_misspelled_is_no_pretraining() -> None:
    with pytest.raises(UserError) as caught:
        parse_suite(SUITE.replace("START", "base").replace("STAGE", "sfft: {data: microworld}"), "s.yaml")
    assert "s.yaml:9: models.x.train.sfft: unknown key 'sfft'; did you mean 'sft'?" in str(caught.value)
    assert "\n" not in str(caught.value)
