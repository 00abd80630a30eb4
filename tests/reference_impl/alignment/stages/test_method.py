"""Stages from folder to folder: each method learns, and goes on after a kill to the same bits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from reference_impl.alignment.stages.data_settings import SUMS, DataSettings
from reference_impl.alignment.stages.learner import open_learner, open_reward_model
from reference_impl.alignment.stages.method import METHODS, run_stage
from reference_impl.alignment.stages.result import read_result
from reference_impl.alignment.stages.run import Run
from reference_impl.training.checkpoint import load_checkpoint
from reference_impl.training.state import Report

INSTRUCTIONS = DataSettings(most=40, held_out=0.2)
ASKED = DataSettings(SUMS, most=12, response=6)
ROLLED = {"rollouts": 3, "prompts": 4, "learning_rate": 1e-3}
STAGES: dict[str, tuple[DataSettings, dict[str, Any]]] = {
    "sft": (INSTRUCTIONS, {"learning_rate": 1e-2, "batch": 8, "epochs": 2}),
    "reward": (INSTRUCTIONS, {"learning_rate": 1e-2, "batch": 8}),
    "dpo": (INSTRUCTIONS, {"learning_rate": 1e-3, "batch": 8}),
    "ppo": (ASKED, {**ROLLED, "epochs": 2, "minibatches": 2}),
    "reinforce": (ASKED, ROLLED),
    "rloo": (ASKED, ROLLED),
    "grpo": (ASKED, ROLLED | {"minibatches": 2}),
    "dr_grpo": (ASKED, ROLLED | {"longest": 6}),
    "dapo": (ASKED, ROLLED),
    "rejection": (ASKED, {"n": 2, "batch": 4, "rounds": 2}),
}


def reward_of(method: str, reward_model: Path) -> str | None:
    return str(reward_model) if METHODS[method].rewarded else None


class Killed(Exception):
    pass


def test_every_method_is_tried_here() -> None:
    assert set(STAGES) == set(METHODS)


@pytest.mark.parametrize("method", METHODS)
def test_a_stage_learns_and_leaves_a_model_that_others_start_from(
    method: str, base: Path, reward_model: Path, tmp_path: Path
) -> None:
    data, given = STAGES[method]
    heard: list[Report] = []
    result = run_stage(
        method, base, tmp_path / "out", data, given, Run(heard.append), reward=reward_of(method, reward_model)
    )
    assert heard and read_result(tmp_path / "out") == result
    assert result.learned_from + result.held_out <= (data.most or 0)
    before, after = load_checkpoint(base).model.state_dict(), load_checkpoint(tmp_path / "out").model.state_dict()
    assert any(not torch.equal(before[name], after[name]) for name in before)
    assert open_learner(tmp_path / "out").tokenizer == open_learner(base).tokenizer


@pytest.mark.parametrize(
    ("method", "steps"), [*((name, steps) for name in METHODS for steps in (1, 3)), ("rejection", 4)]
)
def test_a_stage_that_was_killed_goes_on_to_the_same_bits(
    method: str, steps: int, base: Path, reward_model: Path, tmp_path: Path
) -> None:
    data, given = STAGES[method]
    reward, state = reward_of(method, reward_model), tmp_path / "state"
    straight = run_stage(method, base, tmp_path / "straight", data, given, Run(), reward=reward)

    def killing(report: Report) -> None:
        if report.step >= steps:
            raise Killed

    with pytest.raises(Killed):
        run_stage(method, base, tmp_path / "out", data, given, Run(killing, state, every=1), reward=reward)
    assert not (tmp_path / "out").exists()
    went_on = run_stage(
        method, base, tmp_path / "out", data, given, Run(state=state, every=1, resumes=True), reward=reward
    )
    first, second = (load_file(tmp_path / name / "model.safetensors") for name in ("straight", "out"))
    assert first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)
    assert [one.values for one in went_on.reports] == [one.values for one in straight.reports]
    assert not list(tmp_path.glob("state*"))


def test_a_state_of_other_data_another_start_or_another_reward_is_refused(
    base: Path, reward_model: Path, tmp_path: Path
) -> None:
    data, given = STAGES["dpo"]
    state = tmp_path / "state"

    def killing(report: Report) -> None:
        if report.step == 2:
            raise Killed

    with pytest.raises(Killed):
        run_stage("dpo", base, tmp_path / "out", data, given, Run(killing, state, every=1))
    for start, other in ((base, DataSettings(most=30, held_out=0.2)), (reward_model, data)):
        with pytest.raises(ValueError, match=r"training state is of a run with"):
            run_stage("dpo", start, tmp_path / "out", other, given, Run(state=state, every=1, resumes=True))


@pytest.mark.parametrize(
    ("method", "data", "given", "reward", "told"),
    [
        ("ppo", ASKED, ROLLED, None, "ppo needs a reward: the folder of a reward model, or `answers`"),
        ("sft", INSTRUCTIONS, {}, "answers", "sft has no use for a reward"),
        ("ppo", INSTRUCTIONS, ROLLED, "answers", "says no answer, so responses to it can't be judged"),
        ("ppo", ASKED, ROLLED, "BASE", "is no reward model: it has no reward_head.safetensors"),
        ("dpo", ASKED, {}, None, "has no preferences"),
        ("sft", DataSettings(most=2, held_out=0.999), {}, None, "rows are held out: lower held_out"),
        ("sft", DataSettings(most=4, response=1), {}, None, "a response is longer than 1 tokens"),
        ("sft", INSTRUCTIONS, {"epochs": -1.0}, None, "epochs must be above 0"),
        ("grpo", ASKED, ROLLED | {"samples": 1}, "answers", "draw 2 or more samples"),
    ],
)
def test_what_can_t_be_is_a_sentence(
    method: str, data: DataSettings, given: dict[str, Any], reward: str | None, told: str, base: Path, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=told):
        run_stage(method, base, tmp_path / "out", data, given, Run(), reward=str(base) if reward == "BASE" else reward)
    assert not (tmp_path / "out").exists()


def test_a_reward_model_is_opened_as_it_was_kept(reward_model: Path) -> None:
    kept = open_reward_model(reward_model)
    assert not any(parameter.requires_grad for parameter in kept.trunk.module.parameters())
    told = json.loads((reward_model / "alignment.json").read_bytes())
    assert told["method"] == "reward" and told["reports"][-1]["values"]["validation_accuracy"] >= 0


def test_the_reward_of_answers_is_that_of_the_verifier(base: Path, tmp_path: Path) -> None:
    result = run_stage("rejection", base, tmp_path / "out", ASKED, {"n": 2, "batch": 4}, Run(), reward="answers")
    assert result.method == "rejection" and result.learned_from > 0
