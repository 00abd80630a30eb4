"""Stages that train an adapter of a `transformers` model: an ordinary model is kept, and a kill changes no bit."""

from __future__ import annotations

import json
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from reference_impl.alignment.settings.lora import LoRA
from reference_impl.alignment.stages.data_settings import SUMS, DataSettings
from reference_impl.alignment.stages.learner import open_learner
from reference_impl.alignment.stages.method import run_stage
from reference_impl.alignment.stages.run import Run
from reference_impl.alignment.stages.start_folder import ADAPTER, base_folder, is_adapter
from reference_impl.text import microworld
from tests.reference_impl.alignment.killing import dying_before_step
from tests.tiny_models import llama, save_byte_pairs, save_folder

pytestmark = pytest.mark.skipif(find_spec("peft") is None, reason="needs peft, whose import takes seconds")

LORA = LoRA(rank=2)
CONTEXT = 160
CHAT = (
    "{% for m in messages %}{{ m['role'] + ': ' + m['content'] + eos_token }}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}"
)
INSTRUCTIONS = DataSettings(most=20)
ASKED = DataSettings(SUMS, most=12, response=6)
ROLLED: dict[str, Any] = {"rollouts": 3, "prompts": 4, "learning_rate": 1e-2}
STAGES: dict[str, tuple[DataSettings, dict[str, Any], str | None]] = {
    "sft": (INSTRUCTIONS, {"learning_rate": 1e-2, "batch": 4, "epochs": 2}, None),
    "dpo": (INSTRUCTIONS, {"learning_rate": 1e-2, "batch": 4, "epochs": 2}, None),
    "ppo": (ASKED, ROLLED | {"epochs": 2, "minibatches": 2}, "REWARD"),
    "grpo": (ASKED, ROLLED | {"minibatches": 2, "samples": 2}, "REWARD"),
}


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("adapted")
    tokenizer = save_byte_pairs(folder / "tokens.json", microworld.documents("validation")[:60], 300)
    return save_folder(folder / "llama", llama(max_position_embeddings=CONTEXT).eval(), tokenizer, CHAT)


@pytest.fixture(scope="module")
def reward(start: Path) -> Path:
    """A reward model that is a `transformers` model with a head."""
    folder = start.with_name("reward")
    run_stage("reward", start, folder, INSTRUCTIONS, {"learning_rate": 1e-2, "batch": 4}, Run(), lora=LORA)
    return folder


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


@pytest.mark.parametrize("method", STAGES)
def test_it_is_kept_merged_and_killed_it_goes_on_to_the_same_bits(
    method: str, start: Path, reward: Path, tmp_path: Path
) -> None:
    from transformers import AutoModelForCausalLM

    data, given, told = STAGES[method]
    scored = str(reward) if told == "REWARD" else told
    straight = run_stage(method, start, tmp_path / "straight", data, given, Run(), reward=scored, lora=LORA)
    kept = weights(tmp_path / "straight")
    before = weights(start)
    assert kept.keys() == before.keys() and not list((tmp_path / "straight").glob("adapter_*"))
    changed = {name for name in kept if not torch.equal(kept[name], before[name])}
    assert changed and all("proj" in name for name in changed), "only what the adapter is on"
    model: Any = AutoModelForCausalLM.from_pretrained(tmp_path / "straight")
    assert torch.isfinite(model(torch.tensor([[1, 2, 3]])).logits).all()
    assert open_learner(tmp_path / "straight").tokenizer == open_learner(start).tokenizer

    for step in (1, 3):
        state, out = tmp_path / f"state{step}", tmp_path / f"out{step}"
        with dying_before_step(step):
            run_stage(method, start, out, data, given, Run(state=state, every=1), reward=scored, lora=LORA)
        assert state.is_file() and not out.exists()
        went_on = run_stage(
            method, start, out, data, given, Run(state=state, every=1, resumes=True), reward=scored, lora=LORA
        )
        again = weights(out)
        assert all(torch.equal(again[name], kept[name]) for name in kept)
        assert [one.values for one in went_on.reports] == [one.values for one in straight.reports]


def test_a_whole_model_and_an_adapter_do_not_go_on_from_each_other(start: Path, tmp_path: Path) -> None:
    data, given, _ = STAGES["sft"]
    state = tmp_path / "state"
    with dying_before_step(2):
        run_stage("sft", start, tmp_path / "out", data, given, Run(state=state, every=1), lora=LORA)
    for other in (None, LoRA(rank=4), LoRA(rank=2, alpha=99)):
        with pytest.raises(ValueError, match="training state is of a run with"):
            run_stage("sft", start, tmp_path / "out", data, given, Run(state=state, every=1, resumes=True), lora=other)
    assert not (tmp_path / "out").exists()


def test_an_adapter_needs_a_transformers_model(base: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="LoRA is for `transformers` models"):
        run_stage("sft", base, tmp_path / "out", INSTRUCTIONS, {}, Run(), lora=LORA)


def test_the_adapter_is_kept_beside_and_a_stage_starts_from_it_as_from_what_it_was_merged_into(
    start: Path, tmp_path: Path
) -> None:
    given = {"learning_rate": 1e-2, "batch": 4}
    run_stage("sft", start, tmp_path / "out", INSTRUCTIONS, given, Run(), lora=LORA)
    adapter = tmp_path / "out" / "adapter"
    assert is_adapter(adapter) and not is_adapter(tmp_path / "out") and base_folder(adapter) == start.resolve()
    whole, from_adapter = open_learner(tmp_path / "out"), open_learner(adapter)
    assert from_adapter.merged_adapter == adapter and from_adapter.tokenizer == whole.tokenizer
    for one, other in zip(whole.policy.module.parameters(), from_adapter.policy.module.parameters(), strict=True):
        assert torch.allclose(one, other, atol=1e-6)
    result = run_stage("dpo", adapter, tmp_path / "dpo", INSTRUCTIONS, given, Run(), lora=LORA)
    assert result.merged_adapter == str(adapter) and result.last["loss"] > 0
    assert not (tmp_path / "dpo" / "adapter").exists(), "it is of no folder that there is"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"base_model_name_or_path": None}, "doesn't say what it is of"),
        ({"base_model_name_or_path": "nobody/nothing"}, "is an adapter of nobody/nothing. there is no folder nobody"),
        ({"peft_type": "IA3"}, "this is an adapter IA3"),
        ({"task_type": "SEQ_CLS"}, "for SEQ_CLS"),
        ({"r": 3}, "can't be merged into"),
    ],
)
def test_an_adapter_that_is_no_start(change: dict[str, Any], told: str, start: Path, tmp_path: Path) -> None:
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    model: Any = AutoModelForCausalLM.from_pretrained(start)
    get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", r=2)).save_pretrained(tmp_path / "adapter")
    file = tmp_path / "adapter" / ADAPTER
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(ValueError, match=told):
        open_learner(tmp_path / "adapter")
    (tmp_path / "adapter" / "adapter_model.safetensors").unlink()
    file.write_text("[1")
    with pytest.raises(ValueError, match="no settings of an adapter"):
        open_learner(tmp_path / "adapter")


def test_a_model_of_the_hubs_local_cache_is_a_start(
    start: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    snapshot = tmp_path / "hub" / "models--owner--tiny" / "snapshots" / ("0" * 40)
    shutil.copytree(start, snapshot)
    (snapshot.parent.parent / "refs").mkdir()
    (snapshot.parent.parent / "refs" / "main").write_text("0" * 40)
    assert open_learner(Path("owner/tiny")).start == open_learner(start).start
    with pytest.raises(ValueError, match="there is no folder owner/other, and the hub's local cache has no model"):
        open_learner(Path("owner/other"))
