"""Several reward models at once: an ensemble that scores as one, in a folder that proves all of itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from reference_impl.alignment.data import microworld
from reference_impl.alignment.data.encoding import Limits, encode_preferences
from reference_impl.alignment.reward_ensemble import RewardEnsemble, combined
from reference_impl.alignment.reward_model import RewardModel
from reference_impl.alignment.settings.reward import RewardSettings
from reference_impl.alignment.stages.data_settings import SUMS, DataSettings
from reference_impl.alignment.stages.learner import open_learner, open_reward_model
from reference_impl.alignment.stages.method import run_stage
from reference_impl.alignment.stages.reward_folder import ENSEMBLE, open_reward
from reference_impl.alignment.stages.run import Run
from tests.reference_impl.alignment.killing import dying_before_step

DATA = DataSettings(most=40, held_out=0.2)
GIVEN: dict[str, Any] = {"learning_rate": 1e-2, "batch": 8, "seeds": 3}


def test_members_differ_and_score_as_one(base: Path, tmp_path: Path) -> None:
    result = run_stage("reward", base, tmp_path / "three", DATA, GIVEN | {"combine": "min"}, Run())
    assert {"accuracy_0", "accuracy_2", "validation_spread", "validation_ensemble_accuracy"} <= set(result.last)
    assert result.last["validation_spread"] > 0
    found = open_reward(tmp_path / "three")
    assert isinstance(found, RewardEnsemble) and len(found.members) == 3 and found.combine == "min"
    learner = open_learner(base)
    pairs = encode_preferences(microworld.preferences("test", count=8), learner.text, Limits(128)).items
    items = [pair.chosen for pair in pairs]
    each = torch.stack([member.raw_scores(items) for member in found.members])
    assert float(each.std(0).min()) > 0, "each has weights of its own"
    assert torch.equal(found.reward(learner.tokenizer)(items), each.amin(0))
    assert torch.equal(combined(each, "mean"), each.mean(0))
    with pytest.raises(ValueError, match="another tokenizer"):
        found.reward("other")
    assert torch.equal(open_reward_model(tmp_path / "three").raw_scores(items), each[0]), "the first one by itself"
    alone = run_stage("reward", base, tmp_path / "one", DATA, GIVEN | {"seeds": 1}, Run())
    one = open_reward(tmp_path / "one")
    assert isinstance(one, RewardModel) and not (tmp_path / "one" / ENSEMBLE).exists()
    assert torch.equal(one.raw_scores(items), each[0]), "the first member is what one seed gives"
    assert alone.last["loss"] == result.last["loss_0"]


def test_killed_it_goes_on_to_the_same_bits_and_a_policy_learns_from_it(base: Path, tmp_path: Path) -> None:
    run_stage("reward", base, tmp_path / "straight", DATA, GIVEN, Run())
    state = tmp_path / "state"
    with dying_before_step(7):  # three optimizers: in the middle of the third step
        run_stage("reward", base, tmp_path / "out", DATA, GIVEN, Run(state=state, every=1))
    run_stage("reward", base, tmp_path / "out", DATA, GIVEN, Run(state=state, every=1, resumes=True))
    for name in ("model.safetensors", "reward_head.safetensors", ENSEMBLE):
        assert (tmp_path / "straight" / name).read_bytes() == (tmp_path / "out" / name).read_bytes()
    for member in ("member-2", "member-3"):
        first, second = (tmp_path / run / member / "model.safetensors" for run in ("straight", "out"))
        assert first.read_bytes() == second.read_bytes()
    asked = DataSettings(SUMS, most=12, response=6)
    given = {"rollouts": 1, "prompts": 4}
    run_stage("ppo", base, tmp_path / "ppo", asked, given, Run(), reward=str(tmp_path / "out"))


def test_a_member_that_is_another_is_told(base: Path, tmp_path: Path) -> None:
    run_stage("reward", base, tmp_path / "out", DATA, GIVEN | {"seeds": 2}, Run())
    (tmp_path / "out" / "member-2").rename(tmp_path / "member-2")
    with pytest.raises(ValueError, match="this member of the ensemble is another"):
        open_reward(tmp_path / "out")
    with pytest.raises(ValueError, match="seeds must be at least 1"):
        RewardSettings(seeds=0)
    with pytest.raises(ValueError, match="combine must be one of mean, min"):
        RewardSettings(combine="max")  # type: ignore[arg-type]
