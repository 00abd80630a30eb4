"""The table of what a model stores: each tensor once, by format, and all adapters alike."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from harness.models.contract import PRECISIONS, ModelIdentity, ModelSource, Precision
from harness.models.open import open_model
from harness.models.storage import stored_tensors, stored_weights


def identity(kind: str, folder: Path, precision: Precision) -> ModelIdentity:
    return open_model(ModelSource("m", kind, str(folder), "d", precision=precision)).identity  # type: ignore[arg-type]


def test_a_tied_tensor_counts_once_and_is_read() -> None:
    model = nn.ModuleDict(
        {"embed": nn.Embedding(5, 4), "head": nn.Linear(4, 5, bias=False), "look": nn.Embedding(3, 4)}
    )
    model["head"].weight = model["embed"].weight
    model.register_buffer("table", torch.zeros(7), persistent=False)
    model.register_buffer("mean", torch.zeros(2, dtype=torch.bfloat16))
    tensors = {t.name: (t.format, t.bytes, t.read) for t in stored_tensors(model)}
    assert tensors == {
        "embed.weight": ("fp32", 80, True),
        "look.weight": ("fp32", 48, False),
        "mean": ("bf16", 4, True),
    }


def test_layers_are_one_row() -> None:
    model = nn.ModuleDict({"layers": nn.ModuleList([nn.Linear(2, 3), nn.Linear(2, 3)])})
    tensors = stored_tensors(model)
    table = stored_weights(tensors, {f"layers.{i}.weight": "why" for i in (0, 1)})
    assert [(w.name, w.tensors, w.bytes, w.reason) for w in table.wide] == [("layers.*.weight", 2, 48, "why")]
    assert table.bytes == 72 and table.wide_share == 48 / 72


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("kind", ["transformers", "converted"])
def test_every_adapter_fills_it(kind: str, precision: Precision, gpt2_folder: Path) -> None:
    found = identity(kind, gpt2_folder, precision)
    assert found.stored is not None
    assert found.stored.bytes == found.weight_bytes
    assert found.weight_bytes - found.weight_bytes_read >= 48 * 32, "positions are only looked up"
    formats = {each.format for each in found.stored.formats}
    assert (precision if precision != "int4-gptq" else "int4-gptq") in formats
    assert found.parameters_embedding == found.parameters - found.parameters_non_embedding == (320 + 48) * 32
    assert found.parameters_active == found.parameters
    assert (found.vocabulary, found.embedding_rows) == (320, 320)
    plain = precision in ("fp32", "bf16", "fp16")
    assert bool(found.stored.wide) is not plain, "a table of positions, which is only looked up"


def test_of_a_mixture_the_visited_experts_are_active(tmp_path: Path, llama_folder: Path) -> None:
    import shutil

    from transformers import GptOssConfig, GptOssForCausalLM

    config = GptOssConfig(
        vocab_size=320,
        hidden_size=32,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=2,
        head_dim=16,
        num_local_experts=4,
        num_experts_per_tok=1,
        max_position_embeddings=64,
        layer_types=["full_attention"],
    )
    GptOssForCausalLM(config).save_pretrained(tmp_path)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(llama_folder / name, tmp_path)
    found = identity("transformers", tmp_path, "fp32")
    experts = 4 * (32 * 32 + 32 + 16 * 32 + 32)
    assert found.parameters - found.parameters_active == experts * 3 // 4
    # projections, a router, one expert's two matrices and the head: biases of experts are added, not multiplied
    assert found.parameters_matmul == 4 * 32 * 32 + 4 * 32 + 32 * 32 + 16 * 32 + 320 * 32
