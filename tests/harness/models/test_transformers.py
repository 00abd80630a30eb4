"""The transformers adapter: counts by hand, logits against the model itself, caches, padding, and every bad folder."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from harness.errors import UserError
from harness.models.contract import PRECISIONS, ModelSource, Precision
from harness.models.open import open_model


def source(folder: Path, precision: Precision = "fp32") -> ModelSource:
    return ModelSource("m", "transformers", str(folder), "digest", precision=precision)


TOKENS = torch.tensor([[5, 17, 301, 44, 8, 99, 23, 150], [7, 7, 12, 250, 3, 60, 61, 62]])


@pytest.fixture(scope="module", params=["llama_folder", "gpt2_folder"])
def folder(request: pytest.FixtureRequest) -> Path:
    found: Path = request.getfixturevalue(request.param)
    return found


def test_llama_counts_by_hand(llama_folder: Path) -> None:
    identity = open_model(source(llama_folder)).identity
    # per layer: q and o 32·32, k and v 16·32 (grouped: 2 of 4 heads), three FFN matrices 32·48
    layer = 2 * 32 * 32 + 2 * 16 * 32 + 3 * 32 * 48
    assert identity.parameters_head == 320 * 32
    assert identity.parameters_matmul == 2 * layer + 320 * 32
    assert identity.parameters_non_embedding == 2 * (layer + 2 * 32) + 32
    assert identity.parameters == identity.parameters_non_embedding + 320 * 32, "the tied head counts once"
    assert identity.weight_bytes == identity.weight_bytes_read == 4 * identity.parameters
    assert identity.kv_bytes_per_token == 2 * 2 * 16 * 4
    assert (identity.layers, identity.width, identity.context, identity.vocabulary) == (2, 32, 64, 320)


def test_gpt2_counts_by_hand(gpt2_folder: Path) -> None:
    identity = open_model(source(gpt2_folder)).identity
    weights, biases_and_norms = 12 * 32 * 32, (4 + 4 + 1) * 32 + 4 * 32
    assert identity.parameters_matmul == 2 * weights + 320 * 32
    assert identity.parameters_non_embedding == 2 * (weights + biases_and_norms) + 2 * 32
    assert identity.parameters == identity.parameters_non_embedding + (320 + 48) * 32
    assert identity.weight_bytes_read == identity.weight_bytes - 48 * 32 * 4, (
        "positions are looked up, the head is read"
    )
    assert (identity.context, identity.kv_bytes_per_token) == (48, 2 * 2 * 32 * 4)


def test_an_untied_head_is_no_embedding_but_read(tmp_path: Path, llama_folder: Path) -> None:
    from transformers import AutoConfig, LlamaForCausalLM

    config = AutoConfig.from_pretrained(llama_folder, tie_word_embeddings=False)
    LlamaForCausalLM(config).save_pretrained(tmp_path)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(llama_folder / name, tmp_path)
    tied, untied = open_model(source(llama_folder)).identity, open_model(source(tmp_path)).identity
    assert untied.parameters == tied.parameters + 320 * 32
    assert untied.parameters_non_embedding == tied.parameters_non_embedding
    assert untied.parameters_matmul == tied.parameters_matmul
    assert untied.weight_bytes_read == untied.weight_bytes - 320 * 32 * 4


def test_a_mixture_counts_the_experts_that_a_token_visits(tmp_path: Path, llama_folder: Path) -> None:
    from transformers import MixtralConfig, MixtralForCausalLM

    config = MixtralConfig(
        vocab_size=320,
        hidden_size=32,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=4,
        num_key_value_heads=4,
        num_local_experts=4,
        num_experts_per_tok=2,
        max_position_embeddings=64,
    )
    MixtralForCausalLM(config).save_pretrained(tmp_path)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(llama_folder / name, tmp_path)
    identity = open_model(source(tmp_path)).identity
    assert identity.parameters_matmul == 4 * 32 * 32 + 4 * 32 + 2 * 3 * 32 * 16 + 320 * 32


@pytest.mark.parametrize("precision", PRECISIONS)
def test_every_precision_opens_and_counts_the_same_parameters(folder: Path, precision: Precision) -> None:
    full, model = open_model(source(folder)), open_model(source(folder, precision))
    assert model.identity.parameters_matmul == full.identity.parameters_matmul
    if precision == "fp32":
        return
    assert model.identity.weight_bytes <= full.identity.weight_bytes / 2
    assert model.identity.kv_bytes_per_token * 2 == full.identity.kv_bytes_per_token
    logits, expected = model.forward(TOKENS).float(), full.forward(TOKENS)
    assert logits.dtype == torch.float32
    error = (logits - expected).std() / expected.std()
    assert error < {"bf16": 0.03, "fp16": 0.01}.get(precision, 0.08 if "int8" in precision else 0.6)


def test_int4_reads_no_embedding_that_the_head_does_not_share(llama_folder: Path) -> None:
    """The tied embedding gets 8 bits of its own there: stored, not read."""
    identity = open_model(source(llama_folder, "int4")).identity
    assert identity.weight_bytes - identity.weight_bytes_read == 320 * 32 + 320 * 2


def test_logits_are_the_models_own_and_only_where_asked(folder: Path) -> None:
    from transformers import AutoModelForCausalLM

    theirs = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    with torch.no_grad():
        expected = theirs(TOKENS).logits
    model = open_model(source(folder))
    torch.testing.assert_close(model.forward(TOKENS), expected)
    at = torch.tensor([7, 2])
    torch.testing.assert_close(model.forward(TOKENS, logits_at=at), expected[:, at])


def test_an_architecture_that_can_not_select_logits_is_served_all_the_same(
    llama_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model: Any = open_model(source(llama_folder))
    at = torch.tensor([3])
    expected = model.forward(TOKENS, logits_at=at)
    monkeypatch.setattr(model, "selects_logits", False)
    torch.testing.assert_close(model.forward(TOKENS, logits_at=at), expected)


def test_a_cache_changes_nothing(folder: Path) -> None:
    model = open_model(source(folder))
    expected = model.forward(TOKENS)
    cache = model.new_cache(2, 8)
    parts = [model.forward(part, cache=cache) for part in (TOKENS[:, :5], TOKENS[:, 5:6], TOKENS[:, 6:])]
    torch.testing.assert_close(torch.cat(parts, dim=1), expected, atol=1e-4, rtol=1e-4)


def test_left_padding_shifts_nothing(folder: Path) -> None:
    """Known bad: without positions from the mask, transformers numbers the padding too."""
    model = open_model(source(folder))
    short = TOKENS[1:, :5]
    expected = model.forward(short)[0, -1]
    padded = torch.cat([torch.zeros(1, 3, dtype=torch.int64), short], dim=1)
    mask = torch.tensor([[0, 0, 0, 1, 1, 1, 1, 1]])
    torch.testing.assert_close(model.forward(padded, attention_mask=mask)[0, -1], expected, atol=1e-4, rtol=1e-4)
    cache = model.new_cache(1, 8)
    model.forward(padded[:, :7], cache=cache, attention_mask=mask[:, :7])
    last = model.forward(padded[:, 7:], cache=cache, attention_mask=mask)[0, -1]
    torch.testing.assert_close(last, expected, atol=1e-4, rtol=1e-4)
    if "gpt2" in str(folder):  # rotary positions are relative, so only learnt ones can tell
        wrong = model.forward(padded, attention_mask=mask, positions=torch.arange(8)[None])[0, -1]
        assert not torch.allclose(wrong, expected, atol=1e-2)


def broken(llama_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(llama_folder, tmp_path / "model"))


def refusal(folder: str) -> str:
    with pytest.raises(UserError) as caught:
        open_model(ModelSource("m", "transformers", folder, "digest"))
    assert (caught.value.place or "").startswith(folder)
    assert "\n" not in caught.value.message
    return caught.value.message


def test_an_encoder_that_loads_as_a_language_model_is_found_out(llama_folder: Path, tmp_path: Path) -> None:
    """BERT loads without an error and looks at later tokens: its perplexity would be a fine small number."""
    from transformers import BertConfig, BertLMHeadModel

    folder = broken(llama_folder, tmp_path)
    config = BertConfig(
        vocab_size=320,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        initializer_range=0.3,
        max_position_embeddings=64,
    )
    BertLMHeadModel(config).save_pretrained(folder)
    assert "not a causal language model" in refusal(str(folder))
