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
        ("dpo: {drawn: {reward: base}}", "base", "train.dpo.drawn.reward: base is no reward model"),
        ("dpo: {drawn: {reward: stranger}}", "base", "train.dpo.drawn.reward: stranger has another tokenizer"),
        ("dpo: {drawn: {reward: answers}}", "base", "train.dpo.drawn.reward: prompts of `microworld` say no answer"),
        ("dpo: {drawn: {reward: constant}}", "base", "train.dpo.drawn.reward: scores that are all equal prefer"),
        ("reward: {drawn: {reward: judge, model: other}}", "base", "train.reward.drawn.model: other has another token"),
        ("sft: {lora: {rank: 4}}", "base", "train.sft.lora: LoRA is for models of `transformers`, and base is a GPT"),
        ("sft: {data: microworld}", "hub", "train.sft: hub is a model of the hub that is not in its local"),
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


KEPT = """name: s
models:
  base: {reference: nano, train: {steps: 5, context: 32, vocabulary: 300}}
  grpo: {from: base, train: {grpo: {data: microworld/sums, reward: answers, checkpoints: {kl: [0.1, 2], after: [3]}}}}
  x: {from: NAME, at: AT}
measures:
  - alignment: {}
    models: [x]
"""


def kept(name: str, at: str) -> Resolved:
    suite = parse_suite(KEPT.replace("NAME", name).replace("AT", at), "s.yaml")
    return resolve("x", suite.models["x"], None, False, models=suite.models)


def test_a_checkpoint_is_a_model_of_its_own() -> None:
    early, late = kept("grpo", "kl=0.10"), kept("grpo", "after=3")
    assert early.training is not None and early.training.what == "grpo at kl=0.1"
    assert early.before is not None and early.before.source.name == "grpo" and not early.ready
    assert len({early.source.digest, late.source.digest, early.before.source.digest}) == 3
    assert early.source.kind == "reference"


@pytest.mark.parametrize(
    ("name", "at", "told"),
    [
        ("grpo", "kl=0.5", "models.x.at: grpo keeps no checkpoint kl=0.5, but kl=0.1, kl=2, after=3; add it"),
        ("base", "kl=0.5", "models.x.at: base keeps no checkpoints; give its last stage `checkpoints`"),
        ("grpo", "step 3", "models.x.at: 'step 3' names no checkpoint: say kl=NATS or after=NUMBER"),
    ],
)
def test_a_checkpoint_that_is_not_kept(name: str, at: str, told: str) -> None:
    with pytest.raises(UserError) as caught:
        kept(name, at)
    assert told in str(caught.value)


def test_a_model_from_another_is_trained_or_a_checkpoint() -> None:
    with pytest.raises(UserError, match="trained further by `train`, or it is a checkpoint `at`"):
        parse_suite(KEPT.replace("NAME, at: AT", "grpo"), "s.yaml")


def test_drawn_pairs_are_of_the_models_that_draw_and_judge() -> None:
    told = "dpo: {drawn: {reward: judge, model: more, pairs: 20}, data: microworld/sums}"
    first = made(told)
    assert [(what, model.source.name) for what, model in first.asked] == [
        ("drawn.reward", "judge"),
        ("drawn.model", "more"),
    ]
    assert first.training is not None and first.training.what == "dpo on 20 drawn pairs"
    assert {model.source.name for model in first.needed} == {"base", "judge", "more"}
    other = parse_suite(
        SUITE.replace("START", "base").replace("STAGE", told).replace("{reward: {data", "{reward: {seed: 1, data"), "s"
    )
    again = resolve("x", other.models["x"], None, False, models=other.models)
    assert again.source.digest != first.source.digest, "another judge labels other pairs"
    assert made(told).source.digest == first.source.digest


@pytest.mark.parametrize(
    ("stage", "told"),
    [
        ("dpo: {drawn: {pairs: 3}}", "reward"),
        ("dpo: {drawn: {reward: judge, flipped: 2}}", "flipped must be a share"),
        ("dpo: {drawn: {reward: judge, label: certain}}", "did you mean 'labels'"),
        ("sft: {drawn: {reward: judge}}", "unknown key 'drawn'"),
    ],
)
def test_settings_of_drawn_pairs_that_can_t_be(stage: str, told: str) -> None:
    with pytest.raises(UserError, match=told):
        made(stage)
