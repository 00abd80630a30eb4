"""The longest text and the seams of a configuration, wherever its family keeps them."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import transformers

from harness.models.context import DEFAULT, longest_text, seams, void_beyond

ROPE = {"rope_theta": 10000.0}
DYNAMIC = {"rope_type": "dynamic", "factor": 4.0, **ROPE}
LONGROPE = {"rope_type": "longrope", "short_factor": [1.0] * 4, "long_factor": [2.0] * 4, "factor": 4.0, **ROPE}


def config_of(kind: str, **settings: Any) -> Any:
    return transformers.AutoConfig.for_model(kind, **settings)


@pytest.mark.parametrize(
    ("kind", "settings", "longest"),
    [
        ("llama", {"max_position_embeddings": 96}, 96),
        ("gpt2", {"n_positions": 48}, 48),
        ("gptj", {"n_positions": 48}, 48),
        ("ctrl", {"n_positions": 48}, 48),
        ("mpt", {"max_seq_len": 80}, 80),
        ("dbrx", {"max_seq_len": 80}, 80),
        ("rwkv", {"context_length": 72}, 72),
        ("bloom", {}, DEFAULT),
        ("mamba", {}, DEFAULT),
        ("llama", {"max_position_embeddings": 24, "rope_parameters": DYNAMIC}, 96),
        (
            "llama",
            {
                "max_position_embeddings": 96,
                "rope_parameters": {
                    "rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 24, **ROPE
                },
            },
            96,
        ),
        (
            "llama",
            {
                "max_position_embeddings": 96,
                "rope_parameters": {**LONGROPE, "original_max_position_embeddings": 24},
            },
            96,
        ),
    ],
)  # fmt: skip
def test_the_longest_text(kind: str, settings: dict[str, Any], longest: int) -> None:
    assert longest_text(config_of(kind, **settings), torch.nn.Module()) == longest


def test_a_tokenizer_names_what_no_configuration_does() -> None:
    config = config_of("bloom")
    assert longest_text(config, torch.nn.Module(), 512) == 512
    assert longest_text(config, torch.nn.Module(), 10**30) == DEFAULT, "it means that it knows no limit"
    assert longest_text(config_of("llama", max_position_embeddings=96), torch.nn.Module(), 64) == 96


@pytest.mark.parametrize(("kind", "rows"), [("roberta", 94), ("bert", 96), ("opt", 96), ("gpt2", 96), ("xglm", 96)])
def test_a_position_table_holds_no_more(kind: str, rows: int) -> None:
    """RoBERTa's begins after the row for padding."""
    small = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    named: dict[str, dict[str, Any]] = {
        "gpt2": {"n_embd": 16, "n_layer": 1, "n_head": 2, "n_positions": 96},
        "xglm": {"d_model": 16, "num_layers": 1, "attention_heads": 2, "ffn_dim": 16, "max_position_embeddings": 96},
        "opt": {**small, "ffn_dim": 16, "word_embed_proj_dim": 16, "max_position_embeddings": 96},
    }
    settings = named.get(kind, {**small, "max_position_embeddings": 96, "is_decoder": True})
    model = transformers.AutoModelForCausalLM.from_config(config_of(kind, vocab_size=50, pad_token_id=1, **settings))
    assert longest_text(model.config, model) == rows
    with torch.no_grad():
        model(torch.full((1, rows), 7))


@pytest.mark.parametrize(
    ("kind", "settings", "found"),
    [
        ("mistral", {"sliding_window": 7}, 7),
        ("gpt_neo", {"window_size": 7}, 7),
        ("recurrent_gemma", {"attention_window_size": 7}, 7),
        ("llama4_text", {"attention_chunk_size": 7}, 7),
        ("modernbert-decoder", {"local_attention": 14}, 14),
        ("llama", {"rope_parameters": {**LONGROPE, "original_max_position_embeddings": 7}}, 7),
    ],
)
def test_seams_go_by_many_names(kind: str, settings: dict[str, Any], found: int) -> None:
    assert found in seams(config_of(kind, **settings))


def test_only_scaling_by_length_makes_what_is_cached_void() -> None:
    assert void_beyond(config_of("llama")) is None
    yarn = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 24, **ROPE}
    assert void_beyond(config_of("llama", rope_parameters=yarn)) is None
    longrope = config_of("llama", rope_parameters={**LONGROPE, "original_max_position_embeddings": 24})
    limit = void_beyond(longrope)
    assert limit is not None and limit.tokens == 24 and "longrope" in limit.reason
    dynamic = {"rope_type": "dynamic", "factor": 2.0, **ROPE}
    limit = void_beyond(config_of("llama", max_position_embeddings=33, rope_parameters=dynamic))
    assert limit is not None and limit.tokens == 33
