"""The state of a training with LoRA holds what learns, resumes bit for bit, and knows the model below."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from reference_impl.alignment.lora import add_lora
from reference_impl.alignment.settings.lora import LoRA
from reference_impl.alignment.token_log_probs import token_log_probs
from reference_impl.alignment.transformers_policy import TransformersPolicy
from reference_impl.training.loop import loop
from reference_impl.training.optimizer import make_optimizer
from reference_impl.training.settings import TrainingSettings
from reference_impl.training.state import Report, Stepping, TrainingState
from reference_impl.training.state_file import RunIdentity, Saving, load_state
from tests.reference_impl.alignment.items import items
from tests.tiny_models import llama

ITEMS = items([(4, 3), (5, 7)])
IDENTITY = RunIdentity({}, {})


def run(path: Path, steps: int, base: int = 0, adapter: int = 0) -> tuple[TrainingState, list[Report]]:
    """Learn on from the state, if there is one."""
    policy = TransformersPolicy(add_lora(llama(base), LoRA(rank=4, alpha=8, seed=adapter)))

    def objective(batch: int) -> dict[str, torch.Tensor]:
        loss = -token_log_probs(policy, ITEMS).log_probs.mean()
        loss.backward()  # type: ignore[no-untyped-call]
        return {"loss": loss.detach()}

    optimizer = make_optimizer(policy.module, TrainingSettings(tokens=1), 0.01)
    state = TrainingState({"policy": policy.module}, {"policy": Stepping(optimizer, lambda step: 0.01)})
    if path.exists():
        load_state(path, state, IDENTITY)
    loop(objective, lambda step: step, steps, state, report_after=range(99), saving=Saving(path, 4, IDENTITY))
    return state, [replace(report, steps=0, seconds=0.0) for report in state.curve]


def test_only_what_learns_is_kept_and_resumed_is_straight(tmp_path: Path) -> None:
    straight, curve = run(tmp_path / "straight", 10)
    run(tmp_path / "state", 6)  # kept after 4
    kept = [name for name in load_file(tmp_path / "state") if name.startswith("model.")]
    assert kept and all("lora_" in name for name in kept)
    resumed, again = run(tmp_path / "state", 10, adapter=5)
    assert again == curve
    for (name, mine), theirs in zip(resumed.parameters().items(), straight.parameters().values(), strict=True):
        assert torch.equal(mine, theirs), name
    assert curve[-1].values["loss"] < 0.9 * curve[0].values["loss"]


def test_another_model_below_is_refused_and_nothing_changes(tmp_path: Path) -> None:
    run(tmp_path / "state", 6)
    with pytest.raises(ValueError, match="a run with other frozen weights, not these: resume with the same model"):
        run(tmp_path / "state", 10, base=3)


def test_a_frozen_weight_that_an_optimizer_has_is_kept() -> None:
    policy = TransformersPolicy(llama())
    optimizer = make_optimizer(policy.module, TrainingSettings(tokens=1), 0.01)
    state = TrainingState({"policy": policy.module}, {"policy": Stepping(optimizer, lambda step: 0.01)})
    policy.module.requires_grad_(False)
    assert not state.frozen() and len(state.learning()) == len(list(policy.module.parameters()))
