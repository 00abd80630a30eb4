"""Weights of a stage at chosen moments: measured, addressable, and the same after a kill."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from reference_impl.alignment.__main__ import main
from reference_impl.alignment.settings.checkpoints import CheckpointSettings, checkpoint_name
from reference_impl.alignment.stages.checkpoints import FOLDER
from reference_impl.alignment.stages.data_settings import SUMS, DataSettings
from reference_impl.alignment.stages.drawing import asked_prompts, measured_kl, sampler_of
from reference_impl.alignment.stages.learner import open_learner
from reference_impl.alignment.stages.method import METHODS, run_stage
from reference_impl.alignment.stages.result import read_result
from reference_impl.alignment.stages.run import Run
from tests.reference_impl.alignment.killing import dying_before_step

ASKED = DataSettings(SUMS, most=12, response=6)
PAIRS = DataSettings(most=30)
ROLLED: dict[str, Any] = {"rollouts": 5, "prompts": 4, "learning_rate": 2e-2}
STAGES: dict[str, tuple[DataSettings, dict[str, Any], CheckpointSettings]] = {
    "ppo": (ASKED, ROLLED | {"epochs": 2, "minibatches": 2}, CheckpointSettings(kl=(0.01, 0.02, 1e3), after=(3,))),
    "grpo": (ASKED, ROLLED, CheckpointSettings(kl=(1e-6,), after=(2, 4))),
    "dpo": (
        PAIRS,
        {"learning_rate": 2e-2, "batch": 4},
        CheckpointSettings(kl=(0.01, 1e3), after=(3,), every=2, prompts=8),
    ),
}


def reward_of(method: str, reward_model: Path) -> str | None:
    return str(reward_model) if METHODS[method].rewarded else None


@pytest.mark.parametrize("method", STAGES)
def test_they_are_kept_and_killed_at_any_step_the_same(
    method: str, base: Path, reward_model: Path, tmp_path: Path
) -> None:
    data, given, moments = STAGES[method]
    reward = reward_of(method, reward_model)
    straight = run_stage(method, base, tmp_path / "straight", data, given, Run(), reward=reward, checkpoints=moments)
    kept = {name: one for one in straight.checkpoints for name in one.names}
    assert set(kept) == set(moments.names) - {"kl=1000"}
    assert all(
        one.kl >= max(0.0, 0.0, *(float(n[3:]) for n in one.names if n[:2] == "kl")) for one in straight.checkpoints
    )
    assert not list(tmp_path.glob("*.checkpoints")) and not list(tmp_path.glob(".*checkpoints"))
    plain = run_stage(method, base, tmp_path / "plain", data, given, Run(), reward=reward)
    assert [one.values for one in plain.reports] == [one.values for one in straight.reports], "keeping changes nothing"
    for step in (1, 4, 6):
        state, out = tmp_path / f"state{step}", tmp_path / f"out{step}"
        if step >= straight.reports[-1].steps:
            continue
        with dying_before_step(step):
            run_stage(method, base, out, data, given, Run(state=state, every=3), reward=reward, checkpoints=moments)
        went_on = run_stage(
            method, base, out, data, given, Run(state=state, every=3, resumes=True), reward=reward, checkpoints=moments
        )
        assert went_on.checkpoints == straight.checkpoints and not list(tmp_path.glob("state*"))
        for one in straight.checkpoints:
            first, second = (
                load_file(folder / FOLDER / one.folder / "model.safetensors") for folder in (tmp_path / "straight", out)
            )
            assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_checkpoint_is_the_policy_that_its_kl_was_measured_of(base: Path, reward_model: Path, tmp_path: Path) -> None:
    """By another way: a run that ends after so many rollouts, and the divergence of its weights from the start."""
    data, given, _ = STAGES["grpo"]
    constant = given | {"schedule": "constant"}
    moments = CheckpointSettings(after=(2,))
    long = run_stage(
        "grpo", base, tmp_path / "long", data, constant, Run(), reward=str(reward_model), checkpoints=moments
    )
    run_stage("grpo", base, tmp_path / "short", data, constant | {"rollouts": 2}, Run(), reward=str(reward_model))
    [one] = long.checkpoints
    folder = tmp_path / "long" / FOLDER / one.folder
    first, second = load_file(folder / "model.safetensors"), load_file(tmp_path / "short" / "model.safetensors")
    assert all(torch.equal(first[name], second[name]) for name in first)
    learner, start = open_learner(folder), open_learner(base)
    prompts = [asked.ids for asked in asked_prompts(learner, data).train]
    measured = measured_kl(learner.policy, start.policy, prompts * 20, sampler_of(learner, data, 1.0, 7), 0)
    assert one.kl == pytest.approx(measured, rel=0.3)
    assert measured_kl(start.policy, start.policy, prompts, sampler_of(start, data, 1.0, 7), 0) == pytest.approx(0)
    until = read_result(folder)
    assert until.checkpoints == (one,) and until.reports[:-1] == long.reports[:1]
    assert until.last["kl"] == one.kl and until.last["loss"] == long.reports[1].values["loss"]


def test_a_state_without_its_checkpoints_is_refused(base: Path, reward_model: Path, tmp_path: Path) -> None:
    data, given, moments = STAGES["grpo"]
    state, reward = tmp_path / "state", str(reward_model)
    with dying_before_step(3):
        run_stage(
            "grpo", base, tmp_path / "out", data, given, Run(state=state, every=1), reward=reward, checkpoints=moments
        )
    run = Run(state=state, every=1, resumes=True)
    with pytest.raises(ValueError, match="checkpoints"):
        run_stage("grpo", base, tmp_path / "out", data, given, run, reward=reward)
    for folder in tmp_path.glob("state.checkpoints/after-*"):
        shutil.rmtree(folder)
    with pytest.raises(ValueError, match="is gone, which was kept beside the state; start again"):
        run_stage("grpo", base, tmp_path / "out", data, given, run, reward=reward, checkpoints=moments)


def test_moments_that_can_t_be() -> None:
    for bad, told in (
        ({}, "at no moment"),
        ({"kl": (0.0,)}, "above 0 nats, not at 0"),
        ({"kl": (float("inf"),)}, "above 0"),
        ({"after": (0,)}, "after 1 or more, not after 0"),
        ({"after": (2, 2)}, "stands twice"),
        ({"after": (2,), "every": 0}, "every must be"),
    ):
        with pytest.raises(ValueError, match=told):
            CheckpointSettings(**bad)  # type: ignore[arg-type]
    assert checkpoint_name("kl=0.50") == "kl=0.5" and checkpoint_name("after = 3") == "after=3"
    for text in ("", "kl", "kl=", "kl=x", "step=3", "after=1.5"):
        with pytest.raises(ValueError, match="names no checkpoint"):
            checkpoint_name(text)


def test_a_moment_after_the_end_and_a_method_without_any(base: Path, tmp_path: Path) -> None:
    late = CheckpointSettings(after=(5,))
    with pytest.raises(ValueError, match="after 5 rollouts is none before the end, and there are 5 in all"):
        run_stage("grpo", base, tmp_path / "out", ASKED, ROLLED, Run(), reward="answers", checkpoints=late)
    with pytest.raises(ValueError, match="sft keeps no checkpoints"):
        run_stage("sft", base, tmp_path / "out", PAIRS, {}, Run(), checkpoints=late)


def test_from_the_shell(base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["grpo", "--start", str(base), "--out", str(tmp_path / "out"), "--data", SUMS, "--most", "12"]
    given += ["--response", "6", "--rollouts", "3", "--prompts", "4", "--reward", "constant"]
    assert main([*given, "--checkpoints-after", "1,2", "--checkpoints-kl", "-1"]) == 2
    assert "above 0 nats" in capsys.readouterr().err
    assert main([*given, "--checkpoints-after", "2"]) == 0
    [one] = read_result(tmp_path / "out").checkpoints
    assert (one.names, one.folder, one.after, one.step) == (("after=2",), "after-000002", 2, 2)
    assert one.kl == one.values["kl"] == pytest.approx(0, abs=1e-3) and one.values["score"] == 0
