"""What a stage made of a `transformers` model by an adapter is a model like others to the harness."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from harness.models.contract import ModelSource
from harness.models.open import open_model
from reference_impl.alignment.settings.lora import LoRA
from reference_impl.alignment.stages.data_settings import SUMS, DataSettings
from reference_impl.alignment.stages.method import run_stage
from reference_impl.alignment.stages.run import Run
from tests.tiny_models import llama, save_folder

CHAT = (
    "{% for m in messages %}{{ m['role'] + ': ' + m['content'] + eos_token }}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}"
)


def test_a_merged_adapter_opens_and_answers_as_the_model_that_was_trained(
    tmp_path: Path, tiny_tokenizer_file: Path
) -> None:
    pytest.importorskip("peft")
    from transformers import AutoModelForCausalLM

    start = save_folder(tmp_path / "llama", llama(max_position_embeddings=160), tiny_tokenizer_file, CHAT)
    data, given = DataSettings(SUMS, most=12), {"learning_rate": 1e-2, "batch": 4}
    run_stage("sft", start, tmp_path / "out", data, given, Run(), lora=LoRA(rank=2))
    tokens = torch.tensor([[5, 17, 301, 44, 8, 99]])
    before, after = (
        open_model(ModelSource("m", "transformers", str(folder), "d")).forward(tokens)
        for folder in (start, tmp_path / "out")
    )
    assert float((before - after).abs().max()) > 1e-3
    own = AutoModelForCausalLM.from_pretrained(tmp_path / "out").eval()(tokens).logits
    assert torch.allclose(after, own, atol=1e-4)
