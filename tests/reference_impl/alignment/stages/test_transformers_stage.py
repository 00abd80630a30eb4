"""Stages of a `transformers` model: what is kept is one, and judges and policies of one model fit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from reference_impl.alignment.settings.lora import LoRA
from reference_impl.alignment.stages.data_settings import DataSettings
from reference_impl.alignment.stages.learner import open_learner
from reference_impl.alignment.stages.method import run_stage
from reference_impl.alignment.stages.run import Run
from reference_impl.text import microworld
from tests.tiny_models import llama, save_byte_pairs, save_folder

DATA = DataSettings(most=24, held_out=0.2)
TEMPLATE = (
    "{% for one in messages %}{{ one.role }}: {{ one.content }}{{ eos_token }}{% endfor %}"
    "{% if add_generation_prompt %}assistant: {% endif %}"
)
GIVEN: dict[str, Any] = {"learning_rate": 1e-2, "batch": 8}


@pytest.fixture(scope="module")
def chat(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its tokenizer.json is as others write it: without what `save_pretrained` adds, and in one line."""
    folder = tmp_path_factory.mktemp("chat")
    save_folder(
        folder,
        llama(max_position_embeddings=256),
        save_byte_pairs(folder / "tokens.json", microworld.documents("validation")[:40], 300),
        TEMPLATE,
    )
    file = folder / "tokenizer.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"post_processor": None}))
    return folder


def test_a_judge_and_a_policy_of_one_model_have_one_tokenizer(chat: Path, tmp_path: Path) -> None:
    run_stage("reward", chat, tmp_path / "judge", DATA, GIVEN, Run())
    assert (tmp_path / "judge/tokenizer.json").read_bytes() != (chat / "tokenizer.json").read_bytes()
    rolled = {"rollouts": 1, "prompts": 2, "learning_rate": 1e-3}
    asked = DataSettings(most=8, response=4)
    done = run_stage("ppo", chat, tmp_path / "ppo", asked, rolled, Run(), reward=str(tmp_path / "judge"))
    assert done.last["mismatch"] < 1e-4


def test_another_tokenizer_is_told(chat: Path, reward_model: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="reads tokens of another tokenizer"):
        run_stage("ppo", chat, tmp_path / "ppo", DATA, {"rollouts": 1, "prompts": 2}, Run(), reward=str(reward_model))


def test_an_adapter_is_merged_into_what_is_kept(chat: Path, tmp_path: Path) -> None:
    run_stage("sft", chat, tmp_path / "sft", DATA, GIVEN, Run(), lora=LoRA(rank=4))
    before, after = (AutoModelForCausalLM.from_pretrained(folder).state_dict() for folder in (chat, tmp_path / "sft"))
    assert before.keys() == after.keys()
    learned = {name for name in before if not torch.equal(before[name], after[name])}
    assert learned and all("proj" in name for name in learned)
    assert open_learner(tmp_path / "sft").tokenizer == open_learner(chat).tokenizer


def test_a_tokenizer_without_an_end_is_a_sentence(chat: Path, tmp_path: Path) -> None:
    endless = tmp_path / "endless"
    endless.mkdir()
    for file in chat.iterdir():
        (endless / file.name).write_bytes(file.read_bytes())
    settings = json.loads((chat / "tokenizer_config.json").read_text())
    (endless / "tokenizer_config.json").write_text(json.dumps(settings | {"eos_token": None}))
    with pytest.raises(ValueError, match="has no EOS token, so a response can't end"):
        run_stage("sft", endless, tmp_path / "out", DATA, GIVEN, Run())
